package ops

import (
	"encoding/json"
	"fmt"
)

// Form carries payloads to JSON that people read and write, and back, by the JSON Schema of their task's
// definition (see [stem.Schema], which has the table of what is written how). It may be used concurrently.
//
// What stands in JSON is what the schema can tell: what the decoders of a type make of a text or of bytes shows
// when the task runs.
type Form struct{ root place }

// NewForm makes the form of a schema, [stem.Schema.Args] or Result. That of "" is the form of values of which nothing
// is known: it shows them, and makes none. Keywords that are not in the table are passed over; a schema that is no
// JSON, or refers to what it does not define, is an error.
func NewForm(schema string) (*Form, error) {
	if schema == "" {
		return new(Form), nil
	}
	root, err := compileSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("ops: schema: %w", err)
	}
	return &Form{root}, nil
}

// The bounds of what is shown of a payload, in bytes of JSON.
const (
	DefaultView = 64 << 10
	LeastView   = 1 << 10
)

// View says how a payload is shown. The zero value shows up to 64 KiB, and masks nothing.
type View struct {
	// Limit is the most bytes of JSON: LeastView or more; the default is DefaultView.
	Limit int
	// Mask are names of fields and of keys of maps, in any case, whose values are shown as "•••", however deep they
	// lie. Bytes that only methods of their own type understand are not looked into, unless they are MessagePack.
	Mask []string
}

// JSON shows a payload: one line of valid JSON, with all escaped that does not print. It never fails. What has no
// form of its own is an object with one of these keys:
//
//	$base64     bytes, where the schema does not say so
//	$ext        the id of an extension value, beside its $base64
//	$time       a time, where the schema does not say so, or of a year beyond 9999
//	$float      NaN, +Inf or -Inf
//	$not-utf8   text that is not UTF-8, with U+FFFD for what is not
//	$msgpack    a value that only its own methods understand, opened since something in it is masked
//	$malformed  why the payload is not one MessagePack value, beside the $base64 of it
//	$cut        the beginning of a text that is too long
//	$left       how much is left out here: of a text or bytes, of a list, or of an object, among its keys
//
// Where all of it does not fit, no text takes more than an eighth of the limit, so that one long text
// does not hide what comes after it. A value that is not what the schema says is shown as without one; no payload at all is null. It
// takes time in proportion to the payload, and memory to the limit.
func (f *Form) JSON(payload []byte, v View) json.RawMessage {
	return show(f.root, payload, v)
}

// Payload makes a payload of JSON: the very bytes that the generated codec makes of the same value, if all of
// its fields are there and none of its types write themselves as text. No JSON at all is the zero value. What the schema
// does not allow is refused with a [*FormError].
func (f *Form) Payload(text []byte) ([]byte, error) {
	return fill(f.root, text)
}

// FormError says what is wrong with a JSON text, and where.
type FormError struct {
	// Path leads to the value, such as "args.Items[2].Count".
	Path string
	// Value is what stands there, cut short where it is long; "" where it is not that which is wrong.
	Value string
	// Problem says what is wrong, and what is allowed.
	Problem string
}

// Error gives a text such as "args.Count: 1.5: want an integer".
func (e *FormError) Error() string {
	if e.Value == "" {
		return e.Path + ": " + e.Problem
	}
	return e.Path + ": " + e.Value + ": " + e.Problem
}

// in puts the field or the element that was being read before the path.
func (e *FormError) in(step string) *FormError {
	e.Path = step + e.Path
	return e
}
