package roundtrip

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gostem/gostem/stem/codec"
)

// A form carries values between the wire and JSON. All that it knows of them is their
// schema.
type form struct {
	compiled *jsonschema.Schema
	root     object
}

type object = map[string]any

func newForm(name, schema string) (*form, error) {
	root, err := parse(schema)
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
	return &form{compiled, root.(object)}, err
}

func parse(text string) (any, error) { return jsonschema.UnmarshalJSON(strings.NewReader(text)) }

// checkJSON carries a value to JSON, which its schema must find good, and back.
func checkJSON[T any](f *form, c codec.Codec[T], v T) error {
	encoded, err := c.Append(nil, &v)
	if err != nil {
		return err
	}
	r := codec.NewReader(encoded)
	value := f.read(&r, f.root)
	if err := r.Finish(); err != nil {
		return fmt.Errorf("read %q by its schema: %w", encoded, err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	value, err = parse(string(text))
	if err != nil {
		return err
	}
	if err := f.compiled.Validate(value); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	var back T
	if err := c.Decode(f.append(nil, f.root, value), &back); err != nil {
		return fmt.Errorf("decode what %s became: %w", text, err)
	}
	again, err := c.Append(nil, &back)
	if err != nil || !bytes.Equal(again, encoded) {
		return fmt.Errorf("%s became %q, was %q (%v)", text, again, encoded, err)
	}
	return nil
}

// resolve follows references, and tells a nullable schema from what it is besides.
func (f *form) resolve(s object) (resolved object, kind string) {
	if ref, ok := s["$ref"].(string); ok {
		name, err := url.PathUnescape(strings.TrimPrefix(ref, "#/$defs/"))
		if err != nil {
			panic(err)
		}
		return f.resolve(f.root["$defs"].(object)[name].(object))
	}
	if either, ok := s["anyOf"].([]any); ok {
		return f.resolve(either[0].(object))
	}
	switch kind := s["type"].(type) {
	case string:
		return s, kind
	case []any:
		return s, kind[0].(string)
	}
	panic(fmt.Sprintf("a schema without a type: %v", s))
}

func (f *form) read(r *codec.Reader, s object) any {
	if s["contentMediaType"] != "application/vnd.msgpack" && r.Nil() {
		return nil
	}
	s, kind := f.resolve(s)
	switch kind {
	case "boolean":
		return r.Bool()
	case "integer":
		if s["minimum"] == json.Number("0") {
			return r.Uint64()
		}
		return r.Int64()
	case "number":
		if s["format"] == "float" {
			return r.Float32()
		}
		return r.Float64()
	case "string":
		return readText(r, s)
	case "array":
		list := []any{}
		for range r.EnterArray() {
			list = append(list, f.read(r, s["items"].(object)))
		}
		r.Leave()
		return list
	}
	entries := object{}
	for range r.EnterMap() {
		key := readKey(r, s)
		entries[key] = f.read(r, valueOf(s, key))
	}
	r.Leave()
	return entries
}

// valueOf gives the schema of what stands under a key.
func valueOf(s object, key string) object {
	if properties, ok := s["properties"].(object); ok {
		return properties[key].(object)
	}
	return s["additionalProperties"].(object)
}

func readText(r *codec.Reader, s object) string {
	switch {
	case s["contentMediaType"] == "application/vnd.msgpack":
		return base64.StdEncoding.EncodeToString(r.Raw())
	case s["contentEncoding"] == "base64":
		return base64.StdEncoding.EncodeToString(r.Bytes())
	case s["format"] == "date-time":
		return r.Time().Format(time.RFC3339Nano)
	case s["format"] == "go-duration":
		return r.Duration().String()
	}
	return r.Str()
}

func readKey(r *codec.Reader, s object) string {
	names, _ := s["propertyNames"].(object)
	format, _ := names["format"].(string)
	switch {
	case strings.HasPrefix(format, "int"):
		return strconv.FormatInt(r.Int64(), 10)
	case strings.HasPrefix(format, "uint"):
		return strconv.FormatUint(r.Uint64(), 10)
	case names["enum"] != nil:
		return strconv.FormatBool(r.Bool())
	case names["contentEncoding"] != nil:
		return base64.StdEncoding.EncodeToString(r.Bytes())
	}
	return string(r.Key())
}

func (f *form) append(b []byte, s object, v any) []byte {
	if v == nil {
		return codec.AppendNil(b)
	}
	s, kind := f.resolve(s)
	switch kind {
	case "boolean":
		return codec.AppendBool(b, v.(bool))
	case "integer":
		return appendInt(b, v.(json.Number).String())
	case "number":
		if s["format"] == "float" {
			return codec.AppendFloat32(b, float32(must(strconv.ParseFloat(v.(json.Number).String(), 32))))
		}
		return codec.AppendFloat64(b, must(v.(json.Number).Float64()))
	case "string":
		return appendText(b, s, v.(string))
	case "array":
		b = codec.AppendArrayLen(b, len(v.([]any)))
		for _, element := range v.([]any) {
			b = f.append(b, s["items"].(object), element)
		}
		return b
	}
	b = codec.AppendMapLen(b, len(v.(object)))
	for key, value := range v.(object) {
		b = f.append(appendKey(b, s, key), valueOf(s, key), value)
	}
	return b
}

func appendInt(b []byte, digits string) []byte {
	if strings.HasPrefix(digits, "-") {
		return codec.AppendInt(b, must(strconv.ParseInt(digits, 10, 64)))
	}
	return codec.AppendUint(b, must(strconv.ParseUint(digits, 10, 64)))
}

func appendText(b []byte, s object, text string) []byte {
	switch {
	case s["contentMediaType"] == "application/vnd.msgpack":
		return append(b, must(base64.StdEncoding.DecodeString(text))...)
	case s["contentEncoding"] == "base64":
		return codec.AppendBytes(b, must(base64.StdEncoding.DecodeString(text)))
	case s["format"] == "date-time":
		return codec.AppendTime(b, must(time.Parse(time.RFC3339Nano, text)))
	case s["format"] == "go-duration":
		return codec.AppendDuration(b, must(time.ParseDuration(text)))
	}
	return codec.AppendString(b, text)
}

func appendKey(b []byte, s object, key string) []byte {
	names, _ := s["propertyNames"].(object)
	switch {
	case names["format"] != nil:
		return appendInt(b, key)
	case names["enum"] != nil:
		return codec.AppendBool(b, must(strconv.ParseBool(key)))
	case names["contentEncoding"] != nil:
		return codec.AppendBytes(b, must(base64.StdEncoding.DecodeString(key)))
	}
	return codec.AppendString(b, key)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
