package ops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// place is where a value may stand, and shape what it is there. Types that hold themselves share one shape, and
// whether nil may stand for them is a matter of the place.
type place struct {
	*shape   // nil: nothing is known
	nullable bool
}

// is tells whether the schema says that this kind of value stands there.
func (p place) is(k kind) bool { return p.shape != nil && p.kind == k }

func (p place) isText(f textForm) bool { return p.is(textKind) && p.text == f }

// under gives the place of what stands under a key.
func (p place) under(name string) place {
	if !p.is(objectKind) {
		return place{}
	}
	if i, ok := p.index[name]; ok {
		return p.fields[i].place
	}
	return p.values
}

type shape struct {
	kind kind
	// least and most bound an integer.
	least int64
	most  uint64
	// single tells that a number is a float32.
	single bool
	text   textForm
	// length bounds a text in bytes as it is written, and a list in elements.
	length bounds
	items  place
	// fields are those of an object, in the order of the schema, and index their places by name.
	fields []field
	index  map[string]int
	// values is what stands under all other keys; open tells whether there may be any.
	values place
	open   bool
	keys   keyForm
}

type field struct {
	name string
	place
}

type bounds struct{ least, most int }

type kind uint8

const (
	anyKind kind = iota // the schema does not say
	booleanKind
	integerKind
	numberKind
	textKind
	listKind
	objectKind
)

var kinds = map[string]kind{
	"boolean": booleanKind, "integer": integerKind, "number": numberKind, "string": textKind, "array": listKind, "object": objectKind,
}

// textForm is what a JSON string stands for on the wire.
type textForm uint8

const (
	plainText textForm = iota
	base64Text
	timeText
	durationText
	wireText // base64 of bytes that stand there as they are
)

// keyForm is what the keys of an object stand for.
type keyForm struct {
	kind keyKind
	bits int // of an integer
}

type keyKind uint8

const (
	textKey keyKind = iota
	intKey
	uintKey
	boolKey
	base64Key
)

// schemaText is a JSON Schema, as far as it is looked at.
type schemaText struct {
	Ref                  string                 `json:"$ref"`
	Defs                 map[string]*schemaText `json:"$defs"`
	AnyOf                []*schemaText          `json:"anyOf"`
	Type                 typeNames              `json:"type"`
	Format               string                 `json:"format"`
	ContentEncoding      string                 `json:"contentEncoding"`
	ContentMediaType     string                 `json:"contentMediaType"`
	Minimum              json.Number            `json:"minimum"`
	Maximum              json.Number            `json:"maximum"`
	MinLength            *int                   `json:"minLength"`
	MaxLength            *int                   `json:"maxLength"`
	MinItems             *int                   `json:"minItems"`
	MaxItems             *int                   `json:"maxItems"`
	Items                *schemaText            `json:"items"`
	Properties           properties             `json:"properties"`
	AdditionalProperties *schemaText            `json:"additionalProperties"`
	PropertyNames        *schemaText            `json:"propertyNames"`
	Enum                 []json.RawMessage      `json:"enum"`

	never bool // the schema false
}

// UnmarshalJSON reads the schemas true and false, too.
func (s *schemaText) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true":
		return nil
	case "false":
		s.never = true
		return nil
	}
	type plain schemaText
	return json.Unmarshal(text, (*plain)(s))
}

type typeNames []string

// UnmarshalJSON reads one name or a list of names.
func (n *typeNames) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(n))
	}
	*n = make(typeNames, 1)
	return json.Unmarshal(text, &(*n)[0])
}

// properties keep their order: that of the fields on the wire.
type properties []property

type property struct {
	name   string
	schema *schemaText
}

// UnmarshalJSON reads an object.
func (p *properties) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.New("properties: want an object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		schema := new(schemaText)
		if err := d.Decode(schema); err != nil {
			return err
		}
		*p = append(*p, property{name.(string), schema})
	}
	return nil
}

// compiler makes places of schemas.
type compiler struct {
	defs     map[string]*schemaText
	compiled map[string]*place
}

func compileSchema(text string) (place, error) {
	var root schemaText
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return place{}, err
	}
	c := compiler{defs: root.Defs, compiled: make(map[string]*place)}
	return c.place(&root)
}

func (c *compiler) place(s *schemaText) (place, error) {
	switch {
	case s == nil:
		return place{}, nil
	case s.Ref != "":
		return c.referred(s.Ref)
	case len(s.AnyOf) == 2 && slices.Equal(s.AnyOf[1].Type, typeNames{"null"}):
		p, err := c.place(s.AnyOf[0])
		p.nullable = true
		return p, err
	}
	p := place{shape: new(shape), nullable: slices.Contains(s.Type, "null")}
	return p, c.fill(p.shape, s)
}

// referred gives what a reference leads to. A type that holds itself finds the shape that is being made.
func (c *compiler) referred(ref string) (place, error) {
	if p := c.compiled[ref]; p != nil {
		return *p, nil
	}
	escaped, local := strings.CutPrefix(ref, "#/$defs/")
	name, err := url.PathUnescape(escaped)
	s := c.defs[name]
	switch {
	case !local, err != nil, s == nil:
		return place{}, fmt.Errorf("it refers to %.100q, which it does not define", ref)
	case s.Ref != "" || s.AnyOf != nil:
		return place{}, fmt.Errorf("its definition %.100q is itself a reference", name)
	}
	p := place{shape: new(shape), nullable: slices.Contains(s.Type, "null")}
	c.compiled[ref] = &p
	return p, c.fill(p.shape, s)
}

// fill says what a schema does, without its references.
func (c *compiler) fill(sh *shape, s *schemaText) error {
	for _, name := range s.Type {
		if name != "null" && sh.kind != anyKind {
			sh.kind = anyKind // it may be one or the other
			return nil
		}
		if name != "null" {
			sh.kind = kinds[name]
		}
	}
	var err error
	switch sh.kind {
	case integerKind:
		return sh.fillInteger(s)
	case numberKind:
		sh.single = s.Format == "float"
	case textKind:
		sh.text, sh.length = textFormOf(s), boundsOf(s.MinLength, s.MaxLength)
	case listKind:
		sh.length = boundsOf(s.MinItems, s.MaxItems)
		sh.items, err = c.place(s.Items)
	case objectKind:
		return c.fillObject(sh, s)
	}
	return err
}

func (sh *shape) fillInteger(s *schemaText) error {
	sh.least, sh.most = math.MinInt64, math.MaxUint64
	var err error
	if s.Minimum != "" {
		if sh.least, err = strconv.ParseInt(s.Minimum.String(), 10, 64); err != nil {
			return fmt.Errorf("minimum %.40s: want an int64", s.Minimum)
		}
	}
	if s.Maximum != "" {
		if sh.most, err = strconv.ParseUint(s.Maximum.String(), 10, 64); err != nil {
			return fmt.Errorf("maximum %.40s: want a uint64", s.Maximum)
		}
	}
	return nil
}

func (c *compiler) fillObject(sh *shape, s *schemaText) error {
	sh.index = make(map[string]int, len(s.Properties))
	for i, p := range s.Properties {
		value, err := c.place(p.schema)
		if err != nil {
			return err
		}
		sh.fields, sh.index[p.name] = append(sh.fields, field{p.name, value}), i
	}
	if s.PropertyNames != nil {
		sh.keys = keyFormOf(s.PropertyNames)
	}
	rest := s.AdditionalProperties
	if sh.open = rest == nil || !rest.never; !sh.open {
		return nil
	}
	var err error
	sh.values, err = c.place(rest)
	return err
}

func textFormOf(s *schemaText) textForm {
	switch {
	case s.ContentEncoding == "base64" && strings.HasSuffix(s.ContentMediaType, "/vnd.msgpack"):
		return wireText
	case s.ContentEncoding == "base64":
		return base64Text
	case s.Format == "date-time":
		return timeText
	case s.Format == "go-duration":
		return durationText
	}
	return plainText
}

func keyFormOf(names *schemaText) keyForm {
	bits := func(prefix string) (int, bool) {
		digits, ok := strings.CutPrefix(names.Format, prefix)
		n, err := strconv.Atoi(digits)
		return n, ok && err == nil && n > 0 && n <= 64
	}
	if n, ok := bits("int"); ok {
		return keyForm{intKey, n}
	}
	if n, ok := bits("uint"); ok {
		return keyForm{uintKey, n}
	}
	switch {
	case len(names.Enum) == 2 && string(names.Enum[0]) == `"false"` && string(names.Enum[1]) == `"true"`:
		return keyForm{kind: boolKey}
	case names.ContentEncoding == "base64":
		return keyForm{kind: base64Key}
	}
	return keyForm{}
}

func boundsOf(least, most *int) bounds {
	b := bounds{0, math.MaxInt}
	if least != nil {
		b.least = *least
	}
	if most != nil {
		b.most = *most
	}
	return b
}
