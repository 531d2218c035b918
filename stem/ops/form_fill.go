package ops

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gostem/gostem/stem/codec"
)

// argsPath is where the path of an error begins: it is args that are filled in.
const argsPath = "args"

// fill is Form.Payload.
func fill(root place, text []byte) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return codec.AppendNil(nil), nil
	}
	if !utf8.Valid(text) {
		return nil, &FormError{Path: argsPath, Problem: "the text is not UTF-8"}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, &FormError{Path: argsPath, Problem: "this is no JSON: " + err.Error()}
	}
	f := filler{d: json.NewDecoder(bytes.NewReader(whole))}
	f.d.UseNumber()
	if err := f.value(root); err != nil {
		return nil, err.in(argsPath)
	}
	return f.out, nil
}

// filler appends what a decoder reads to out. The text is valid JSON: no token fails.
type filler struct {
	d     *json.Decoder
	out   []byte
	depth int
}

func (f *filler) token() json.Token {
	t, _ := f.d.Token() // the text was found valid
	return t
}

// value appends the next value.
func (f *filler) value(p place) *FormError {
	t := f.token()
	if t == nil {
		if p.shape != nil && p.kind != anyKind && !p.nullable {
			return refuse("null", p.want())
		}
		f.out = codec.AppendNil(f.out)
		return nil
	}
	if p.shape == nil || p.kind == anyKind {
		return refuse(told(t), "the schema does not say what is wanted here")
	}
	switch v := t.(type) {
	case bool:
		if p.kind == booleanKind {
			f.out = codec.AppendBool(f.out, v)
			return nil
		}
	case json.Number:
		if p.kind == integerKind || p.kind == numberKind {
			return f.number(p, v.String())
		}
	case string:
		if p.kind == textKind {
			return f.text(p, v)
		}
	case json.Delim:
		if v == '[' && p.kind == listKind {
			return f.list(p)
		}
		if v == '{' && p.kind == objectKind {
			return f.object(p)
		}
	}
	return refuse(told(t), p.want())
}

func refuse(value, problem string) *FormError { return &FormError{Value: value, Problem: problem} }

// told gives a value as it stands in an error.
func told(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		if v == '[' {
			return "a list"
		}
		return "an object"
	case string:
		return clipped(strconv.Quote(v))
	}
	return clipped(fmt.Sprint(t))
}

// clipped cuts a text short that goes into an error.
func clipped(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// want says what may stand there.
func (p place) want() string {
	if p.nullable {
		return "want " + p.wanted() + " or null"
	}
	return "want " + p.wanted()
}

func (p place) wanted() string {
	switch p.kind {
	case booleanKind:
		return "true or false"
	case integerKind:
		return p.wantedInteger()
	case numberKind:
		return "a number"
	case listKind:
		if p.length.least == p.length.most {
			return fmt.Sprintf("a list of %d", p.length.most)
		}
		return "a list"
	case objectKind:
		return "an object"
	}
	switch p.text {
	case base64Text, wireText:
		return "a string with base64"
	case timeText:
		return `a time as RFC 3339 writes it, such as "2006-01-02T15:04:05Z"`
	case durationText:
		return `a duration such as "1m30s"`
	}
	return "a string"
}

func (p place) wantedInteger() string {
	switch {
	case p.least == 0 && p.most == math.MaxUint64:
		return "an integer of 0 or more"
	case p.least == math.MinInt64 && p.most >= math.MaxInt64:
		return "an integer"
	}
	return fmt.Sprintf("an integer from %d to %d", p.least, p.most)
}

func (f *filler) number(p place, digits string) *FormError {
	if p.kind == integerKind {
		return f.integer(p, digits)
	}
	bits := 64
	if p.single {
		bits = 32
	}
	v, err := strconv.ParseFloat(digits, bits)
	if err != nil {
		return refuse(clipped(digits), fmt.Sprintf("want a number that a float%d can hold", bits))
	}
	if p.single {
		f.out = codec.AppendFloat32(f.out, float32(v))
	} else {
		f.out = codec.AppendFloat64(f.out, v)
	}
	return nil
}

// integer takes digits alone: what 1e3 is, people know, but 1e300000000 would have to be written out to be told
// from an integer that fits.
func (f *filler) integer(p place, digits string) *FormError {
	if v, err := strconv.ParseInt(digits, 10, 64); err == nil && v >= p.least && (v < 0 || uint64(v) <= p.most) {
		f.out = codec.AppendInt(f.out, v)
		return nil
	}
	if v, err := strconv.ParseUint(digits, 10, 64); err == nil && v > math.MaxInt64 && v <= p.most {
		f.out = codec.AppendUint(f.out, v)
		return nil
	}
	return refuse(clipped(digits), p.want())
}

func (f *filler) text(p place, text string) *FormError {
	if n := utf8.RuneCountInString(text); n < p.length.least || n > p.length.most {
		return refuse(told(text), fmt.Sprintf("it has %d characters: %s", n, p.length.want("characters")))
	}
	var err error
	switch p.text {
	case base64Text, wireText:
		var v []byte
		if v, err = base64.StdEncoding.DecodeString(text); err != nil {
			break
		}
		if p.text == base64Text {
			f.out = codec.AppendBytes(f.out, v)
			return nil
		}
		if f.out, err = codec.AppendRaw(f.out, v, f.depth+1); err != nil {
			return refuse(told(text), "it is not one MessagePack value: "+err.Error())
		}
	case timeText:
		var v time.Time
		v, err = time.Parse(time.RFC3339, text)
		f.out = codec.AppendTime(f.out, v)
	case durationText:
		var v time.Duration
		v, err = time.ParseDuration(text)
		f.out = codec.AppendDuration(f.out, v)
	default:
		f.out = codec.AppendString(f.out, text)
	}
	if err != nil {
		return refuse(told(text), p.want())
	}
	return nil
}

// want says how many there may be.
func (b bounds) want(things string) string {
	switch {
	case b.least == b.most:
		return fmt.Sprintf("want %d %s", b.least, things)
	case b.most == math.MaxInt:
		return fmt.Sprintf("want %d %s or more", b.least, things)
	}
	return fmt.Sprintf("want %d to %d %s", b.least, b.most, things)
}

// enter goes one level down.
func (f *filler) enter() *FormError {
	if f.depth++; f.depth > codec.MaxDepth {
		return &FormError{Problem: fmt.Sprintf("it lies deeper than %d levels", codec.MaxDepth)}
	}
	return nil
}

func (f *filler) list(p place) *FormError {
	if err := f.enter(); err != nil {
		return err
	}
	from, n := len(f.out), 0
	for ; f.d.More(); n++ {
		if err := f.value(p.items); err != nil {
			return err.in("[" + strconv.Itoa(n) + "]")
		}
	}
	f.token()
	f.depth--
	if n < p.length.least || n > p.length.most {
		return &FormError{Problem: fmt.Sprintf("it has %d elements: %s", n, p.length.want("elements"))}
	}
	f.out = slices.Insert(f.out, from, codec.AppendArrayLen(nil, n)...)
	return nil
}
