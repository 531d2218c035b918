package stemgen

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
)

// A schema is what values of a type look like on the wire: structure, names and kinds,
// as the writer writes them. Go's names for types, the order of fields, omitempty and
// documentation are no part of it. It may lead back to itself.
type schema struct {
	form   schemaForm
	word   string // of a scalar: "int64"
	detail string // of a scalar, where its word does not say all: the 16 of bytes(16), the type of custom(type)
	length int64  // of an array
	key    *schema
	elem   *schema
	label  string        // of a struct, and of what holds itself without one: Go's name, for people only
	fields []schemaField // of a struct, sorted by wire name

	canonical string // its text, once somebody has asked for it
}

// A schemaField is a field as the writer names it, and by which other names the reader
// knows it.
type schemaField struct {
	wire    string
	aliases []string
	schema  *schema
}

// A schemaForm is the structure of a schema.
type schemaForm int

const (
	scalarForm schemaForm = iota
	optionalForm
	listForm
	fixedForm // an array
	entriesForm
	structForm
)

// noneSchema is that of a task without args, or without a result.
func noneSchema() *schema { return &schema{word: "none"} }

// scalarWords are the kinds that have no parts. An int is as wide as the widest that
// writes one, and a named byte is a byte.
var scalarWords = map[Kind]string{
	Bool: "bool",
	Int:  "int64", Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64",
	Uint: "uint64", Uint8: "uint8", Uint16: "uint16", Uint32: "uint32", Uint64: "uint64",
	Float32: "float32", Float64: "float64",
	String: "string", Bytes: "bytes", ByteEnums: "bytes", ByteArray: "bytes", ByteEnumArray: "bytes",
	Time: "time", Duration: "duration", Text: "text", Binary: "binary",
	Custom: "custom", Msgpack: "custom", Raw: "any",
}

// takesDetail tells whether a scalar's word may have something in parentheses behind
// it, and knownWord whether there is such a word.
func takesDetail(word string) bool { return word == "bytes" || word == "custom" }

func knownWord(word string) bool {
	if word == "none" {
		return true
	}
	for _, known := range scalarWords {
		if known == word {
			return true
		}
	}
	return false
}

// schemaOf gives the schema of a type; nil stands for none.
func schemaOf(t *Type) *schema {
	if t == nil {
		return noneSchema()
	}
	b := schemaBuilder{structs: make(map[*Type]*schema), open: make(map[*Type]*schema), labels: make(map[string]bool)}
	return b.schema(t)
}

type schemaBuilder struct {
	structs map[*Type]*schema
	open    map[*Type]*schema // what is being built, from the innermost struct on
	labels  map[string]bool
}

func (b *schemaBuilder) schema(t *Type) *schema {
	switch t.Kind {
	case Pointer:
		return &schema{form: optionalForm, elem: b.schema(t.Elem)}
	case Slice:
		return b.holder(t, &schema{form: listForm})
	case Array:
		return b.holder(t, &schema{form: fixedForm, length: t.Len})
	case Map:
		return b.holder(t, &schema{form: entriesForm, key: b.schema(t.Key)})
	case Struct:
		return b.structSchema(t)
	}
	s := &schema{word: scalarWords[t.Kind]}
	switch t.Kind {
	case ByteArray, ByteEnumArray:
		s.detail = strconv.FormatInt(t.Len, 10)
	case Custom, Msgpack: // only the type knows what it writes
		s.detail = t.Go.path()
	}
	return s
}

// path gives a type of a package by the package's path.
func (g GoType) path() string {
	path := g.Pkg + "." + g.Name
	for _, arg := range g.Args {
		path += "," + suffix(arg, "")
	}
	return path
}

// holder completes the schema of what holds elements. Only what holds itself without a
// struct in between needs a name to be referred to by.
func (b *schemaBuilder) holder(t *Type, s *schema) *schema {
	if outer := b.open[t]; outer != nil {
		if outer.label == "" {
			outer.label = b.label(t)
		}
		return outer
	}
	b.open[t] = s
	s.elem = b.schema(t.Elem)
	delete(b.open, t)
	return s
}

func (b *schemaBuilder) structSchema(t *Type) *schema {
	if known := b.structs[t]; known != nil {
		return known
	}
	s := &schema{form: structForm, label: b.label(t)}
	b.structs[t] = s // before its fields, which may lead back to it
	around := b.open
	b.open = make(map[*Type]*schema)
	fields := slices.SortedFunc(slices.Values(t.Fields), func(a, b Field) int { return cmp.Compare(a.Wire, b.Wire) })
	for _, f := range fields {
		s.fields = append(s.fields, schemaField{wire: f.Wire, aliases: f.Aliases, schema: b.schema(f.Type)})
	}
	b.open = around
	return s
}

// label gives a type a name that no other of the schema has.
func (b *schemaBuilder) label(t *Type) string {
	base := suffix(t.Go, "")
	label := base
	for n := 2; b.labels[label]; n++ {
		label = base + strconv.Itoa(n)
	}
	b.labels[label] = true
	return label
}

// A fingerprint identifies a schema. It is never 0, which stands for an unknown one.
type fingerprint uint64

// fingerprintOf gives the fingerprint of a schema in its canonical text.
func fingerprintOf(text string) fingerprint {
	sum := sha256.Sum256([]byte(text))
	return fingerprint(max(1, binary.BigEndian.Uint64(sum[:])))
}

// parts gives all structs, lists, arrays and maps of the schema, in the order in which
// its text comes upon them.
func (s *schema) parts() []*schema {
	var found []*schema
	seen := make(map[*schema]bool)
	var visit func(*schema)
	visit = func(s *schema) {
		switch {
		case s == nil || seen[s] || s.form == scalarForm:
			return
		case s.form != optionalForm:
			seen[s] = true
			found = append(found, s)
		}
		visit(s.key)
		visit(s.elem)
		for _, f := range s.fields {
			visit(f.schema)
		}
	}
	visit(s)
	return found
}
