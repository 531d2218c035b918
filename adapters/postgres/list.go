package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// list is an array as the driver takes it: element by element, each as an interface. A slice of numbers would cost an
// allocation for each; a list shows one cell after the other. It is for one statement at a time.
type list[E any] struct {
	all  []E
	cell cell[E]
}

func (l *list[E]) Dimensions() []pgtype.ArrayDimension {
	if l.all == nil {
		return nil // NULL
	}
	return []pgtype.ArrayDimension{{Length: int32(len(l.all)), LowerBound: 1}}
}

func (l *list[E]) Index(i int) any {
	l.cell.value = l.all[i]
	return &l.cell
}

func (l *list[E]) IndexType() any { return (*cell[E])(nil) }

// listOf gives a list of all, or nothing where that is nil: NULL.
func listOf[E any](all []E) any {
	if all == nil {
		return nil
	}
	return &list[E]{all: all}
}

// cell is an element as the driver reads it, whichever type the server wants.
type cell[E any] struct{ value E }

func (c *cell[E]) Int64Value() (pgtype.Int8, error) {
	switch v := any(&c.value).(type) {
	case *int64:
		return pgtype.Int8{Int64: *v, Valid: true}, nil
	case *int32:
		return pgtype.Int8{Int64: int64(*v), Valid: true}, nil
	case *int16:
		return pgtype.Int8{Int64: int64(*v), Valid: true}, nil
	case **int64:
		if *v == nil {
			return pgtype.Int8{}, nil
		}
		return pgtype.Int8{Int64: **v, Valid: true}, nil
	}
	return pgtype.Int8{}, c.wrong()
}

func (c *cell[E]) TextValue() (pgtype.Text, error) {
	switch v := any(&c.value).(type) {
	case *string:
		return pgtype.Text{String: *v, Valid: true}, nil
	case **string:
		if *v == nil {
			return pgtype.Text{}, nil
		}
		return pgtype.Text{String: **v, Valid: true}, nil
	}
	return pgtype.Text{}, c.wrong()
}

func (c *cell[E]) BytesValue() ([]byte, error) {
	if v, ok := any(&c.value).(*[]byte); ok {
		return *v, nil
	}
	return nil, c.wrong()
}

func (c *cell[E]) TIDValue() (pgtype.TID, error) {
	if v, ok := any(&c.value).(*pgtype.TID); ok {
		return *v, nil
	}
	return pgtype.TID{}, c.wrong()
}

func (c *cell[E]) BoolValue() (pgtype.Bool, error) {
	if v, ok := any(&c.value).(*bool); ok {
		return pgtype.Bool{Bool: *v, Valid: true}, nil
	}
	return pgtype.Bool{}, c.wrong()
}

func (c *cell[E]) wrong() error { return fmt.Errorf("postgres: %T is no such value", c.value) }
