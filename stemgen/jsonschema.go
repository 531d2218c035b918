package stemgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// A jsonSchema is a JSON Schema as a list of keywords, whose values are JSON. What it says is
// told at stem.Schema.
type jsonSchema []jsonKeyword

type jsonKeyword struct{ name, value string }

func (s jsonSchema) with(name, value string) jsonSchema {
	return append(s[:len(s):len(s)], jsonKeyword{name, value})
}

func (s jsonSchema) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, k := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteJSON(k.name) + ":" + k.value)
	}
	b.WriteByte('}')
	return b.String()
}

func typed(name string) jsonSchema { return jsonSchema{{"type", quoteJSON(name)}} }

// nullable gives the schema of what may be null as well.
func (s jsonSchema) nullable() jsonSchema {
	switch {
	case s[0].name == "anyOf", s[0].name == "type" && strings.HasPrefix(s[0].value, "["):
		return s
	case s[0].name == "type":
		return append(jsonSchema{{"type", "[" + s[0].value + `,"null"]`}}, s[1:]...)
	}
	return jsonSchema{{"anyOf", "[" + s.String() + `,{"type":"null"}]`}}
}

// described adds what a comment says.
func (s jsonSchema) described(doc string) jsonSchema {
	if doc == "" {
		return s
	}
	return s.with("description", quoteJSON(doc))
}

// quoteJSON writes a text as JSON, with < and & as they are.
func quoteJSON(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always has a JSON form
	return strings.TrimSuffix(b.String(), "\n")
}

// hasDefinition tells whether the schema of a type stands among the definitions, once for
// all who refer to it: that of any type with a name does, unless the name stands for a
// rule of its own.
func (t *Type) hasDefinition() bool {
	return t.Go.Form == NamedForm && t.Go.Pkg != "" && (t.Defined || t.Kind == Struct)
}

// schema gives the schema of a type as others hold it.
func (t *Type) schema() jsonSchema {
	if t.hasDefinition() {
		return jsonSchema{{"$ref", quoteJSON("#/$defs/" + url.PathEscape(t.Suffix))}}
	}
	return t.shape()
}

// definition gives what stands among the definitions.
func (t *Type) definition() string {
	s := append(jsonSchema{{"title", quoteJSON(title(t.Go))}}.described(t.Doc), t.shape()...)
	if len(t.Constants) > 0 {
		var names, values []string
		for _, c := range t.Constants {
			names, values = append(names, quoteJSON(c.Name)), append(values, c.Value)
		}
		// Examples and no enum: the codec carries every value of the type, and so may a form.
		s = s.with("examples", "["+strings.Join(values, ",")+"]").with("x-enum-varnames", "["+strings.Join(names, ",")+"]")
	}
	return quoteJSON(t.Suffix) + ":" + s.String()
}

// title names a type as code does, without its package.
func title(g GoType) string {
	switch g.Form {
	case PointerForm:
		return "*" + title(*g.Elem)
	case SliceForm:
		return "[]" + title(*g.Elem)
	case ArrayForm:
		return fmt.Sprintf("[%d]%s", g.Len, title(*g.Elem))
	case MapForm:
		return "map[" + title(*g.Key) + "]" + title(*g.Elem)
	case StructForm:
		return "struct"
	}
	if len(g.Args) == 0 {
		return g.Name
	}
	var args []string
	for _, arg := range g.Args {
		args = append(args, title(arg))
	}
	return g.Name + "[" + strings.Join(args, ", ") + "]"
}

// shape gives what the values of a type are made of.
func (t *Type) shape() jsonSchema {
	if r, ok := intRanges[t.Kind]; ok {
		return typed("integer").with("minimum", r.least).with("maximum", r.most)
	}
	switch t.Kind {
	case Bool:
		return typed("boolean")
	case Float32:
		return typed("number").with("format", `"float"`)
	case Float64:
		return typed("number").with("format", `"double"`)
	case String:
		return typed("string")
	case Time:
		return typed("string").with("format", `"date-time"`)
	case Duration:
		return typed("string").with("format", `"go-duration"`).with("pattern", quoteJSON(`^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`))
	case Bytes, ByteEnums:
		return base64Schema().nullable()
	case ByteArray, ByteEnumArray:
		n := strconv.FormatInt((t.Len+2)/3*4, 10)
		return base64Schema().with("minLength", n).with("maxLength", n)
	case Text:
		return typed("string").nullable() // its methods may give nil, and are not asked about one
	case Binary:
		return base64Schema().nullable() // its methods may give nil, and are not asked about one
	case Pointer:
		return t.Elem.schema().nullable()
	case Slice:
		return typed("array").nullable().with("items", t.Elem.schema().String())
	case Array:
		n := strconv.FormatInt(t.Len, 10)
		return typed("array").with("items", t.Elem.schema().String()).with("minItems", n).with("maxItems", n)
	case Map:
		return t.mapSchema()
	case Struct:
		return t.structSchema()
	}
	return base64Schema().with("contentMediaType", `"application/vnd.msgpack"`) // only its own methods understand it
}

func base64Schema() jsonSchema { return typed("string").with("contentEncoding", `"base64"`) }

func (t *Type) mapSchema() jsonSchema {
	s := typed("object").nullable()
	if r, ok := intRanges[t.Key.Kind]; ok {
		s = s.with("propertyNames", jsonSchema{{"format", quoteJSON(r.format)}, {"pattern", quoteJSON(`^-?[0-9]+$`)}}.String())
	} else if t.Key.Kind == Bool {
		s = s.with("propertyNames", `{"enum":["false","true"]}`)
	} else if t.Key.Kind == Binary {
		s = s.with("propertyNames", `{"contentEncoding":"base64"}`)
	}
	return s.with("additionalProperties", t.Elem.schema().String())
}

func (t *Type) structSchema() jsonSchema {
	properties := make(jsonSchema, 0, len(t.Fields))
	for _, f := range t.Fields {
		s := f.Type.schema()
		if len(f.Via) > 0 {
			s = s.nullable() // as long as the embedded pointer is nil
		}
		properties = append(properties, jsonKeyword{f.Wire, s.described(f.Doc).String()})
	}
	return typed("object").with("properties", properties.String()).with("additionalProperties", "false")
}

// An intRange is what an integer type can hold.
type intRange struct{ format, least, most string }

var intRanges = map[Kind]intRange{
	Int: signedRange(64), Int8: signedRange(8), Int16: signedRange(16), Int32: signedRange(32), Int64: signedRange(64),
	Uint: unsignedRange(64), Uint8: unsignedRange(8), Uint16: unsignedRange(16), Uint32: unsignedRange(32), Uint64: unsignedRange(64),
}

func signedRange(bits int) intRange {
	most := int64(math.MaxInt64) >> (64 - bits)
	return intRange{fmt.Sprintf("int%d", bits), strconv.FormatInt(-most-1, 10), strconv.FormatInt(most, 10)}
}

func unsignedRange(bits int) intRange {
	return intRange{fmt.Sprintf("uint%d", bits), "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)}
}

// definitions gives the types that the schema of t refers to, t itself first if it is one.
func (t *Type) definitions() []*Type {
	var found []*Type
	seen := make(map[*Type]bool)
	var visit func(*Type)
	visit = func(t *Type) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		if t.hasDefinition() {
			found = append(found, t)
		}
		visit(t.Elem)
		for _, f := range t.Fields {
			visit(f.Type)
		}
	}
	visit(t)
	return found
}
