package stemgen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestSchemasTellWhatTheCodecTakesFromWhatItRefuses(t *testing.T) {
	named := func(name string) GoType { return GoType{Form: NamedForm, Pkg: "p", Name: name} }
	enum := &Type{Kind: Int8, Go: named("Level"), Suffix: "Level", Defined: true, Constants: []Constant{{"Low", "1"}, {"High", "2"}}}
	item := &Type{Kind: Struct, Go: named("Item"), Suffix: "Item", Doc: "Item is <one> of them."}
	item.Fields = []Field{
		{Wire: "Name", Type: &Type{Kind: String}, Doc: "as on the label"},
		{Wire: "level", Type: enum},
		{Wire: "Next", Type: &Type{Kind: Pointer, Elem: item}},
	}
	tests := []struct {
		promise string
		typ     *Type
		takes   []string
		refuses []string
	}{
		{"a bool", &Type{Kind: Bool}, []string{`true`}, []string{`1`, `null`}},
		{"an int8 ends at 127", &Type{Kind: Int8}, []string{`-128`, `127`}, []string{`-129`, `128`, `1.5`, `"1"`}},
		{"an int64 has all its digits", &Type{Kind: Int64}, []string{`-9223372036854775808`, `9223372036854775807`}, []string{`9223372036854775808`}},
		{"a uint64 too", &Type{Kind: Uint64}, []string{`18446744073709551615`}, []string{`18446744073709551616`, `-1`}},
		{"a float", &Type{Kind: Float32}, []string{`1.5`, `2`}, []string{`"NaN"`, `null`}},
		{"a time", &Type{Kind: Time}, []string{`"2026-01-02T03:04:05.000000006Z"`}, []string{`"yesterday"`, `1767225600`}},
		{"a duration as Go writes it", &Type{Kind: Duration}, []string{`"1m30s"`, `"-1.5h"`, `"0s"`, `"3µs"`}, []string{`"PT1M"`, `"90"`, `90`, `""`}},
		{"bytes, or none", &Type{Kind: Bytes}, []string{`"aGVsbG8="`, `""`, `null`}, []string{`"?"`, `[1]`}},
		{"an array of bytes has its length", &Type{Kind: ByteArray, Len: 4}, []string{`"AAECAw=="`}, []string{`"AAEC"`, `null`}},
		{"text by a marshaler, or nothing", &Type{Kind: Text}, []string{`"192.0.2.7"`, `null`}, []string{`1`}},
		{"a pointer", &Type{Kind: Pointer, Elem: &Type{Kind: Int8}}, []string{`1`, `null`}, []string{`128`}},
		{"a slice", &Type{Kind: Slice, Elem: &Type{Kind: String}}, []string{`["a"]`, `[]`, `null`}, []string{`[1]`, `[null]`}},
		{"an array", &Type{Kind: Array, Len: 2, Elem: &Type{Kind: Bool}}, []string{`[true,false]`}, []string{`[true]`, `[true,true,true]`, `null`}},
		{"a map", &Type{Kind: Map, Key: &Type{Kind: String}, Elem: &Type{Kind: Bool}}, []string{`{"a":true}`, `null`}, []string{`{"a":1}`}},
		{"a map with number keys", &Type{Kind: Map, Key: &Type{Kind: Int8}, Elem: &Type{Kind: Bool}}, []string{`{"-1":true}`}, []string{`{"a":true}`, `{"1.5":true}`}},
		{"a map with bool keys", &Type{Kind: Map, Key: &Type{Kind: Bool}, Elem: &Type{Kind: Bool}}, []string{`{"true":true}`}, []string{`{"1":true}`}},
		{"a struct, of which all may be missing and nothing unknown be there", item, []string{`{}`, `{"Name":"a","level":3,"Next":{"Next":null}}`}, []string{`{"name":"a"}`, `{"level":128}`, `null`, `{"Next":{"Name":1}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			schema := compile(t, tt.typ)
			for _, text := range tt.takes {
				if err := schema.Validate(parseJSON(t, text)); err != nil {
					t.Errorf("%s: got %v, want none", text, err)
				}
			}
			for _, text := range tt.refuses {
				if err := schema.Validate(parseJSON(t, text)); err == nil {
					t.Errorf("%s: got no error, want one", text)
				}
			}
		})
	}
}

// compile holds the schema against that of all schemas first.
func compile(t *testing.T, typ *Type) *jsonschema.Schema {
	t.Helper()
	var definitions []string
	for _, d := range typ.definitions() {
		definitions = append(definitions, d.definition())
	}
	text := typ.schema().with("$defs", "{"+strings.Join(definitions, ",")+"}").String()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	if err := compiler.AddResource("schema", parseJSON(t, text)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema")
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", text, err))
	}
	return schema
}

func parseJSON(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", text, err))
	}
	return v
}
