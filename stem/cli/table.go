package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table says once how things of a kind are listed, in every format.
type table[T any] struct {
	kind    string // in the plural
	name    func(T) string
	columns []column[T]
	list    func([]T) error // shows them to people in another way; nil for most
}

// column is one of a table; a wide one is for -o wide alone.
type column[T any] struct {
	title string
	cell  func(T) string
	wide  bool
	alarm func(T) bool // shown in colour; nil: never
}

// page is what programs read of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// print writes a page of a list. What comes after it is told to people as a flag, and to programs as next.
func (t table[T]) print(p *printer, items []T, next string) error {
	if err := t.write(p, items, next); err != nil {
		return err
	}
	if next != "" && p.format != asJSON && p.format != asYAML {
		p.note("There may be more: --after %s", next)
	}
	return nil
}

func (t table[T]) write(p *printer, items []T, next string) error {
	switch p.format {
	case asJSONL:
		for _, item := range items {
			if _, err := p.structured(item); err != nil {
				return err
			}
		}
		return nil
	case asJSON, asYAML:
		if items == nil {
			items = []T{}
		}
		_, err := p.structured(page[T]{items, next})
		return err
	case asName:
		for _, item := range items {
			if _, err := fmt.Fprintln(p.out, escape(t.name(item))); err != nil {
				return err
			}
		}
		return nil
	default:
		if t.list != nil {
			return t.list(items)
		}
		return t.lines(p, items)
	}
}

// lines writes the table for people.
func (t table[T]) lines(p *printer, items []T) error {
	if len(items) == 0 {
		p.note("No %s.", t.kind)
		return nil
	}
	var shown []column[T]
	for _, c := range t.columns {
		if !c.wide || p.format == asWide {
			shown = append(shown, c)
		}
	}
	widths := make([]int, len(shown))
	rows := make([][]string, len(items)+1)
	for i, c := range shown {
		rows[0] = append(rows[0], c.title)
		for j, item := range items {
			rows[j+1] = append(rows[j+1], escape(c.cell(item)))
		}
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for j, row := range rows {
		paint := func(i int, cell string) string {
			switch {
			case j == 0:
				return bold(cell)
			case shown[i].alarm != nil && shown[i].alarm(items[j-1]):
				return red(cell)
			}
			return cell
		}
		b.WriteString(p.line(row, widths, paint) + "\n")
	}
	_, err := fmt.Fprint(p.out, b.String())
	return err
}

// line gives a row, cut to the terminal's width where there is one and wide was not asked for.
func (p *printer) line(row []string, widths []int, paint func(i int, cell string) string) string {
	room := p.columns
	if room == 0 || p.format == asWide {
		room = 1 << 30
	}
	var b strings.Builder
	for i, cell := range row {
		if i < len(row)-1 {
			cell = pad(cell, widths[i]+2)
		}
		cell = cut(cell, room)
		room -= utf8.RuneCountInString(cell)
		if p.colour {
			cell = paint(i, cell)
		}
		b.WriteString(cell)
	}
	return strings.TrimRight(b.String(), " ")
}

// cut gives the beginning of a cell that has no room.
func cut(cell string, room int) string {
	if utf8.RuneCountInString(cell) <= room {
		return cell
	}
	if room <= 0 {
		return ""
	}
	return string([]rune(cell)[:room-1]) + "…"
}

func bold(text string) string { return "\x1b[1m" + text + "\x1b[0m" }
func red(text string) string  { return "\x1b[31m" + text + "\x1b[0m" }

func number(n int) string { return strconv.Itoa(n) }
