package reflectcodec

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// traits are what is to be known of a type before its values are encoded.
type traits struct {
	mayCycle bool // a value may hold itself
}

// examine says whether t can be carried, and what is to be known of it.
func examine(t reflect.Type) (traits, error) {
	e := examination{done: map[reflect.Type]bool{}}
	if err := e.visit(t, t.String()); err != nil {
		return traits{}, fmt.Errorf("reflectcodec: %s cannot be a task's argument or result: %w", t, err)
	}
	return e.traits, nil
}

type examination struct {
	traits
	done  map[reflect.Type]bool // examined, or on the way to where we are
	stack []reflect.Type        // on the way to where we are
}

// visit examines t, to which path leads.
func (e *examination) visit(t reflect.Type, path string) error {
	if carriesItself(t) {
		return nil
	}
	if e.done[t] {
		e.mayCycle = e.mayCycle || slices.Contains(e.stack, t)
		return nil
	}
	e.done[t] = true
	e.stack = append(e.stack, t)
	defer func() { e.stack = e.stack[:len(e.stack)-1] }()

	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s: MessagePack cannot carry a %s", path, t.Kind())
	case reflect.Interface:
		e.mayCycle = true
		if t.NumMethod() > 0 && t != reflect.TypeFor[error]() {
			return fmt.Errorf("%s: nothing says which type to read for the interface %s", path, t)
		}
	case reflect.Pointer:
		if pointsToItself(t) {
			return fmt.Errorf("%s: %s points to nothing but itself", path, t)
		}
		return e.visit(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		return e.visit(t.Elem(), path+"[]")
	case reflect.Map:
		if err := e.visit(t.Key(), path+"[key]"); err != nil {
			return err
		}
		return e.visit(t.Elem(), path+"[]")
	case reflect.Struct:
		return e.visitFields(t, path)
	}
	return nil
}

func (e *examination) visitFields(t reflect.Type, path string) error {
	if embedsItself(t, nil) {
		return fmt.Errorf("%s: %s embeds itself", path, t)
	}
	for i := range t.NumField() {
		field := t.Field(i)
		if !travels(field) {
			continue
		}
		path := path + "." + field.Name
		_, options, _ := strings.Cut(field.Tag.Get("msgpack"), ",")
		if slices.Contains(strings.Split(options, ","), "intern") {
			return fmt.Errorf("%s: interned strings are not on the wire; take the option intern off its tag", path)
		}
		if err := e.visit(field.Type, path); err != nil {
			return err
		}
	}
	return nil
}

// travels tells whether vmihailenco/msgpack looks at a field.
func travels(field reflect.StructField) bool {
	name, _, _ := strings.Cut(field.Tag.Get("msgpack"), ",")
	return name != "-" && (field.IsExported() || field.Anonymous)
}

// pointsToItself tells whether one gets from t to t by following pointers alone.
func pointsToItself(t reflect.Type) bool {
	var seen []reflect.Type
	for t.Kind() == reflect.Pointer {
		if slices.Contains(seen, t) {
			return true
		}
		seen = append(seen, t)
		t = t.Elem()
	}
	return false
}

// embedsItself tells whether one gets from t to t by embedded fields alone, which would
// have vmihailenco/msgpack list its fields without an end.
func embedsItself(t reflect.Type, within []reflect.Type) bool {
	if slices.Contains(within, t) {
		return true
	}
	for i := range t.NumField() {
		field := t.Field(i)
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if field.Anonymous && travels(field) && inner.Kind() == reflect.Struct && embedsItself(inner, append(within, t)) {
			return true
		}
	}
	return false
}

// marshalers are what vmihailenco/msgpack asks a type for before it looks at its kind.
var marshalers = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](),
	reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](),
}

// carriesItself tells whether t's encoding is its own affair.
func carriesItself(t reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return true
	case t.Kind() == reflect.Interface: // what it holds may; it cannot be read into
		return false
	}
	return slices.ContainsFunc(marshalers, func(m reflect.Type) bool {
		return t.Implements(m) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(m)
	})
}
