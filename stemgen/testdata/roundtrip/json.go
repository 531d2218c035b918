package roundtrip

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// A form carries values between the wire and JSON. All that it knows of them is their
// schema, which another implementation of JSON Schema judges the JSON by.
type form struct {
	*ops.Form
	compiled *jsonschema.Schema
}

func newForm(name, schema string) (*form, error) {
	root, err := parse([]byte(schema))
	if err != nil {
		return nil, fmt.Errorf("the schema is no JSON: %w: %s", err, schema)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	if err := compiler.AddResource(name, root); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, err
	}
	f, err := ops.NewForm(schema)
	return &form{f, compiled}, err
}

func parse(text []byte) (any, error) { return jsonschema.UnmarshalJSON(bytes.NewReader(text)) }

// checkJSON carries a value to JSON, which its schema must find good, and back to the very bytes
// that it came from.
func checkJSON[T any](f *form, c codec.Codec[T], v T) error {
	encoded, err := c.Append(nil, &v)
	if err != nil {
		return err
	}
	text := f.JSON(encoded, ops.View{Limit: 64 << 20})
	value, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if err := f.compiled.Validate(value); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	payload, err := f.Payload(text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if bytes.Equal(payload, encoded) {
		return nil
	}
	if !marshalsText(reflect.TypeFor[T](), nil) {
		return fmt.Errorf("%s became %q, was %q", text, payload, encoded)
	}
	var back T
	if err := c.Decode(payload, &back); err != nil {
		return fmt.Errorf("decode what %s became: %w", text, err)
	}
	again, err := c.Append(nil, &back)
	if err != nil || !bytes.Equal(again, encoded) {
		return fmt.Errorf("%s became %q, was %q (%v)", text, again, encoded, err)
	}
	return nil
}

// marshalsText tells whether there are values in a type that write themselves as text. They
// travel as bin, and maps with such keys are sorted by the lengths of these first: no schema
// tells that, and who reads them does not mind.
func marshalsText(t reflect.Type, inside []reflect.Type) bool {
	for _, outer := range inside {
		if outer == t {
			return false
		}
	}
	if t == reflect.TypeFor[time.Time]() {
		return false
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return true
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Map:
		return marshalsText(t.Key(), inside) || marshalsText(t.Elem(), inside)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return marshalsText(t.Elem(), inside)
	case reflect.Struct:
		for field := range t.Fields() {
			if marshalsText(field.Type, inside) {
				return true
			}
		}
	}
	return false
}
