package ops_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// ofEachKind is the schema of a struct with a field for each row of the table at stem.Schema.
const ofEachKind = `{"$ref":"#/$defs/All","$defs":{"All":{"type":"object","properties":{
	"Bool":{"type":"boolean"},
	"Small":{"type":"integer","minimum":-128,"maximum":127},
	"Int":{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807},
	"Uint":{"type":"integer","minimum":0,"maximum":18446744073709551615},
	"Single":{"type":"number","format":"float"},
	"Double":{"type":"number","format":"double"},
	"Text":{"type":"string"},
	"Bytes":{"type":["string","null"],"contentEncoding":"base64"},
	"At":{"type":"string","format":"date-time"},
	"Wait":{"type":"string","format":"go-duration"},
	"Wire":{"type":"string","contentEncoding":"base64","contentMediaType":"application/vnd.msgpack"},
	"List":{"type":["array","null"],"items":{"type":"string"}},
	"Pair":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2},
	"Map":{"type":["object","null"],"additionalProperties":{"type":"string"}},
	"ByInt":{"type":"object","propertyNames":{"format":"int8"},"additionalProperties":{"type":"boolean"}},
	"ByUint":{"type":"object","propertyNames":{"format":"uint64"},"additionalProperties":{"type":"boolean"}},
	"ByBool":{"type":"object","propertyNames":{"enum":["false","true"]},"additionalProperties":{"type":"boolean"}},
	"ByBytes":{"type":"object","propertyNames":{"contentEncoding":"base64"},"additionalProperties":{"type":"boolean"}},
	"Next":{"anyOf":[{"$ref":"#/$defs/All"},{"type":"null"}]}
},"additionalProperties":false}}}`

func form(t testing.TB, schema string) *ops.Form {
	t.Helper()
	f, err := ops.NewForm(schema)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhatStandsInAFormComesBackAsItWas(t *testing.T) {
	f := form(t, ofEachKind)
	for _, text := range []string{
		`{}`, `{"Bool":true}`, `{"Small":-128}`, `{"Int":-9223372036854775808}`, `{"Uint":18446744073709551615}`,
		`{"Single":0.1}`, `{"Double":0.1}`, `{"Double":-0}`, `{"Double":1e+300}`, `{"Text":"\"ü\\\n\u0000\u202e\ud83d\udc4d🏳"}`,
		`{"Bytes":"AAE="}`, `{"Bytes":null}`, `{"At":"2026-01-02T03:04:05.000000006Z"}`, `{"Wait":"1m30s"}`, `{"Wait":"-1.5µs"}`,
		`{"Wire":"gqFhAaFiwg=="}`, `{"List":["a","b"]}`, `{"List":[]}`, `{"List":null}`, `{"Pair":[true,false]}`,
		`{"Map":{"":"x","a":"y"}}`, `{"ByInt":{"-128":true,"-1":true,"1":false}}`, `{"ByUint":{"2":true,"10":true,"18446744073709551615":true}}`,
		`{"ByBool":{"false":true,"true":false}}`, `{"ByBytes":{"3q0=":true}}`, `{"Text":"a","Next":{"Int":1,"Next":{"Next":null}}}`,
	} {
		payload, err := f.Payload([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := string(f.JSON(payload, ops.View{}))
		if want := strings.NewReplacer(`\ud83d\udc4d`, "👍").Replace(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Uniqueness and dedupe keys go by the bytes of args.
func TestEqualArgsHaveEqualBytesInWhicheverOrderTheyAreWritten(t *testing.T) {
	f := form(t, ofEachKind)
	first, err := f.Payload([]byte(`{"Bool":true,"Text":"a","ByInt":{"-1":true,"2":true,"10":true},"Map":{"a":"1","b":"2"}}`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Payload([]byte(` {"Map":{"b":"2","a":"1"}, "ByInt":{"10":true,"2":true,"-1":true}, "Text":"a", "Bool":true} `))
	if err != nil || string(first) != string(second) {
		t.Errorf("got %q, %v, want %q", second, err, first)
	}
}

func TestWhatAFormRefusesItRefusesByItsPath(t *testing.T) {
	f := form(t, ofEachKind)
	tests := []struct{ text, want string }{
		{`{`, "args: this is no JSON: unexpected end of JSON input"},
		{`{} {}`, "args: this is no JSON: invalid character '{' after top-level value"},
		{"\"\xff\"", "args: the text is not UTF-8"},
		{`3`, "args: 3: want an object"},
		{`null`, "args: null: want an object"},
		{`{"Int":1.5}`, "args.Int: 1.5: want an integer"},
		{`{"Int":1e300000000}`, "args.Int: 1e300000000: want an integer"},
		{`{"Int":"1"}`, `args.Int: "1": want an integer`},
		{`{"Int":9223372036854775808}`, "args.Int: 9223372036854775808: want an integer"},
		{`{"Uint":-1}`, "args.Uint: -1: want an integer of 0 or more"},
		{`{"Next":{"Small":128}}`, "args.Next.Small: 128: want an integer from -128 to 127"},
		{`{"Bool":null}`, "args.Bool: null: want true or false"},
		{`{"Double":1e400}`, "args.Double: 1e400: want a number that a float64 can hold"},
		{`{"Single":1e39}`, "args.Single: 1e39: want a number that a float32 can hold"},
		{`{"Double":"NaN"}`, `args.Double: "NaN": want a number`},
		{`{"Text":{"a":1}}`, "args.Text: an object: want a string"},
		{`{"List":["a",[]]}`, "args.List[1]: a list: want a string"},
		{`{"Bytes":"?"}`, `args.Bytes: "?": want a string with base64 or null`},
		{`{"Wire":"gQ=="}`, `args.Wire: "gQ==": it is not one MessagePack value: map of 1 entries with 0 bytes left at offset 0`},
		{`{"At":"yesterday"}`, `args.At: "yesterday": want a time as RFC 3339 writes it, such as "2006-01-02T15:04:05Z"`},
		{`{"Wait":90}`, `args.Wait: 90: want a duration such as "1m30s"`},
		{`{"Pair":[true]}`, "args.Pair: it has 1 elements: want 2 elements"},
		{`{"ByInt":{"128":true}}`, "args.ByInt.128: want as key an int8"},
		{`{"ByBool":{"yes":true}}`, "args.ByBool.yes: want as key true or false"},
		{`{"ByInt":{"1":true,"01":false}}`, "args.ByInt.01: it is there twice"},
		{`{"Int":1,"Int":2}`, "args.Int: it is there twice"},
		{`{"Map":{"a b":3}}`, `args.Map["a b"]: 3: want a string`},
		{`{"Next":{"text":"a"}}`, "args.Next.text: there is no such field: did you mean Text?"},
		{`{"Zebra":1}`, "args.Zebra: there is no such field: want one of Bool, Small, Int, Uint, Single, Double, Text, Bytes, At, Wai…"},
		{strings.Repeat(`{"Next":`, 65) + `null` + strings.Repeat(`}`, 65), "args" + strings.Repeat(".Next", 64) + ": it lies deeper than 64 levels"},
	}
	for _, tt := range tests {
		_, err := f.Payload([]byte(tt.text))
		var refused *ops.FormError
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want a *FormError", tt.text, err)
			continue
		}
		if got := err.Error(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestNoArgsAtAllAreZero(t *testing.T) {
	for _, text := range []string{"", " \n"} {
		got, err := form(t, ofEachKind).Payload([]byte(text))
		if err != nil || string(got) != "\xc0" {
			t.Errorf("%q: got %q, %v, want a nil", text, got, err)
		}
	}
}

func TestValuesOfWhichNothingIsKnownAreShownReadably(t *testing.T) {
	tests := []struct{ payload, want string }{
		{"", `null`},
		{"\xc0", `null`},
		{"\x93\xc3\xd0\x80\xcf\xff\xff\xff\xff\xff\xff\xff\xff", `[true,-128,18446744073709551615]`},
		{"\xca\x3d\xcc\xcc\xcd", `0.1`},
		{"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", `{"$float":"NaN"}`},
		{"\xca\xff\x80\x00\x00", `{"$float":"-Inf"}`},
		{"\xa2a\x1b", `"a\u001b"`},
		{"\xa3M\xfcr", `{"$not-utf8":"M�r"}`},
		{"\xc4\x02\x00\xff", `{"$base64":"AP8="}`},
		{"\xd6\xff\x69\x57\x35\xa5", `{"$time":"2026-01-02T03:04:05Z"}`},
		{"\xd4\x05\x2a", `{"$ext":5,"$base64":"Kg=="}`},
		{"\xd4\xff\x2a", `{"$ext":-1,"$base64":"Kg=="}`}, // no time after all
		{"\x84\xa1a\x01\x02\x03\xc2\x04\xc4\x01\xff\x05", `{"a":1,"2":3,"false":4,"/w==":5}`},
		{"\x81\x91\x01\x02", `{"kQE=":2}`},
		{"\x92\x01", `{"$malformed":"array of 2 elements with 1 bytes left at offset 0","$base64":"kgE="}`},
		{"\x01\x02", `{"$malformed":"trailing bytes at offset 1","$base64":"AQI="}`},
	}
	for _, tt := range tests {
		if got := string(form(t, "").JSON([]byte(tt.payload), ops.View{})); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.payload, got, tt.want)
		}
	}
}

func TestValuesThatAreNotAsTheSchemaSaysAreShownAsTheyAre(t *testing.T) {
	f := form(t, ofEachKind)
	b := codec.AppendMapLen(nil, 6)
	b = codec.AppendString(codec.AppendString(b, "Int"), "three")
	b = codec.AppendInt(codec.AppendString(b, "Text"), 3)
	b = codec.AppendString(codec.AppendString(b, "At"), "now")
	b = codec.AppendBytes(codec.AppendString(b, "Unheard"), []byte{1})
	b = codec.AppendTime(codec.AppendString(b, "At"), time.Date(12026, 1, 2, 3, 4, 5, 0, time.UTC))
	b = codec.AppendFloat64(codec.AppendString(b, "Single"), math.Pi)
	const want = `{"Int":"three","Text":3,"At":"now","Unheard":{"$base64":"AQ=="},"At":{"$time":"12026-01-02T03:04:05Z"},"Single":3.141592653589793}`
	if got := string(f.JSON(b, ops.View{})); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMaskedFieldsAreNotSeenHoweverDeepTheyLie(t *testing.T) {
	f := form(t, ofEachKind)
	inner := codec.AppendString(codec.AppendString(codec.AppendMapLen(nil, 1), "password"), "s3cret")
	b := codec.AppendMapLen(nil, 3)
	b = append(codec.AppendString(b, "Wire"), inner...)
	b = codec.AppendMapLen(codec.AppendString(b, "Map"), 1)
	b = codec.AppendString(codec.AppendString(b, "PASSWORD"), "s3cret")
	b = codec.AppendMapLen(codec.AppendString(b, "Next"), 1)
	b = codec.AppendString(codec.AppendString(b, "Text"), "s3cret")
	got := string(f.JSON(b, ops.View{Mask: []string{"Password", "text"}}))
	const want = `{"Wire":{"$msgpack":{"password":"•••"}},"Map":{"PASSWORD":"•••"},"Next":{"Text":"•••"}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if open := string(f.JSON(b, ops.View{Mask: []string{"other"}})); strings.Count(open, "s3cret") != 2 {
		t.Errorf("with nothing masked: got %s", open)
	}
}

func TestWhatIsLeftOutIsTold(t *testing.T) {
	f := form(t, "")
	list := codec.AppendArrayLen(nil, 1000)
	object := codec.AppendMapLen(nil, 1000)
	for i := range 1000 {
		list = codec.AppendInt(list, int64(i))
		object = codec.AppendInt(codec.AppendInt(object, int64(i)), 1)
	}
	long := codec.AppendString(codec.AppendString(codec.AppendMapLen(nil, 2), "Body"), strings.Repeat("x", 100_000))
	long = codec.AppendString(codec.AppendString(long, "To"), "ada")
	tests := []struct {
		promise string
		payload []byte
		want    []string
	}{
		{"elements of a list", list, []string{`[0,1,`, `{"$left":"`, ` of 1000 elements"}]`}},
		{"entries of an object", object, []string{`{"0":1,`, `"$left":"`, ` of 1000 entries"}`}},
		{"the end of a text, and not what comes after it", long, []string{`{"Body":{"$cut":"xxxx`, `"$left":"999`, ` bytes"},"To":"ada"}`}},
		{"bytes", codec.AppendBytes(nil, make([]byte, 5000)), []string{`{"$base64":"AAAA`, `","$left":"`}},
		{"a key that is longer than all that is shown", codec.AppendNil(codec.AppendString(codec.AppendMapLen(nil, 1), strings.Repeat("k", 5000))), []string{`{"$left":"1 of 1 entries"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			got := string(f.JSON(tt.payload, ops.View{Limit: ops.LeastView}))
			if len(got) > ops.LeastView || !json.Valid([]byte(got)) {
				t.Errorf("got %d bytes, want valid JSON of at most %d: %s", len(got), ops.LeastView, got)
			}
			for _, part := range tt.want {
				if !strings.Contains(got, part) {
					t.Errorf("got %s, want %s in it", got, part)
				}
			}
		})
	}
	if got := len(f.JSON(long, ops.View{})); got > ops.DefaultView {
		t.Errorf("got %d bytes by default, want at most 64 KiB", got)
	}
}

func TestASchemaThatCannotBeUsedIsAnError(t *testing.T) {
	for schema, want := range map[string]string{
		`{`:                    "ops: schema: unexpected end of JSON input",
		`{"$ref":"#/$defs/A"}`: `ops: schema: it refers to "#/$defs/A", which it does not define`,
		`{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}`: `ops: schema: its definition "A" is itself a reference`,
		`{"type":"integer","minimum":0.5}`:                        "ops: schema: minimum 0.5: want an int64",
		`{"type":"integer","maximum":-1}`:                         "ops: schema: maximum -1: want a uint64",
		`{"type":"object","properties":[]}`:                       "ops: schema: properties: want an object",
	} {
		if _, err := ops.NewForm(schema); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", schema, err, want)
		}
	}
}

// What a schema of somebody else's says beyond the table is passed over.
func TestAForeignSchemaSaysWhatItSays(t *testing.T) {
	f := form(t, `{"type":"object","required":["a"],"properties":{"a":{"type":["string","integer"]},"b":true}}`)
	if got := string(f.JSON([]byte("\x82\xa1a\x01\xa1c\x02"), ops.View{})); got != `{"a":1,"c":2}` {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string]string{
		`{"a":1}`: "args.a: 1: the schema does not say what is wanted here",
		`{"c":1}`: "args.c: 1: the schema does not say what is wanted here",
	} {
		if _, err := f.Payload([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if got, err := f.Payload([]byte(`{"b":null}`)); err != nil || string(got) != "\x81\xa1b\xc0" {
		t.Errorf("got %q, %v", got, err)
	}
}

// values draws any MessagePack value.
func values() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte { return drawValue(t, nil, 4) })
}

func drawValue(t *rapid.T, b []byte, depth int) []byte {
	kinds := 9
	if depth == 0 {
		kinds = 7
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return codec.AppendNil(b)
	case 1:
		return codec.AppendBool(b, rapid.Bool().Draw(t, "bool"))
	case 2:
		return codec.AppendInt(b, rapid.Int64().Draw(t, "int"))
	case 3:
		return codec.AppendFloat64(b, rapid.Float64().Draw(t, "float"))
	case 4:
		return codec.AppendString(b, string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")))
	case 5:
		return codec.AppendBytes(b, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"))
	case 6:
		return codec.AppendExt(b, rapid.Int8().Draw(t, "id"), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data"))
	case 7:
		n := rapid.IntRange(0, 20).Draw(t, "elements")
		b = codec.AppendArrayLen(b, n)
		for range n {
			b = drawValue(t, b, depth-1)
		}
		return b
	}
	n := rapid.IntRange(0, 20).Draw(t, "entries")
	b = codec.AppendMapLen(b, n)
	for range n {
		b = drawValue(t, drawValue(t, b, 0), depth-1)
	}
	return b
}

func TestAnyValueIsShownAsValidJSONWithinTheLimit(t *testing.T) {
	all, none := form(t, ofEachKind), form(t, "")
	rapid.Check(t, func(t *rapid.T) {
		payload := values().Draw(t, "payload")
		view := ops.View{Limit: rapid.IntRange(ops.LeastView, 20_000).Draw(t, "limit"), Mask: []string{"a", ""}}
		checkShown(t, none, payload, view)
		checkShown(t, all, payload, view)
	})
}

func checkShown(t interface {
	Errorf(format string, args ...any)
}, f *ops.Form, payload []byte, view ops.View) {
	got := f.JSON(payload, view)
	if !json.Valid(got) || len(got) > view.Limit {
		t.Errorf("%q: got %d bytes, want valid JSON of at most %d: %s", payload, len(got), view.Limit, got)
	}
}

// FuzzForm holds both ways to their promises for any bytes: what is shown is valid JSON within the limit, and what is
// taken comes back.
func FuzzForm(f *testing.F) {
	all, none := form(f, ofEachKind), form(f, "")
	for _, seed := range []string{
		"", "\xc0", "\x92\x01", "\x81\xa4Text\xa1a", "\x81\xa4Next\x81\xa5Bytes\xc4\x01a", `{"Int":1,"Map":{"a":"b"}}`, `{"Wire":"wA==","At":"2026-01-02T03:04:05Z"}`,
		strings.Repeat("\x91", 64) + "\xc0", "\xdd\xff\xff\xff\xff", "\xa3M\xfcr", strings.Repeat(`{"Next":`, 63) + "null" + strings.Repeat("}", 63),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		view := ops.View{Limit: ops.LeastView, Mask: []string{"Text"}}
		checkShown(t, none, data, view)
		checkShown(t, all, data, view)
		payload, err := all.Payload(data)
		if err != nil {
			return
		}
		if err := codec.Valid(payload); err != nil || len(payload) > 5*len(data)+1 {
			t.Fatalf("%q became %d bytes (%v)", data, len(payload), err)
		}
		if string(payload) == "\xc0" {
			return
		}
		text := all.JSON(payload, ops.View{Limit: 100*len(data) + ops.DefaultView})
		if again, err := all.Payload(text); err != nil || string(again) != string(payload) {
			t.Fatalf("%s became %q, was %q (%v)", text, again, payload, err)
		}
	})
}
