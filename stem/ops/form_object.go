package ops

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gostem/gostem/internal/nearest"
	"github.com/gostem/gostem/stem/codec"
)

// object appends a map in the order of the generated codecs: fields as the schema has them, other keys
// sorted. So args that are equal have equal bytes, whoever wrote them: uniqueness goes by these.
func (f *filler) object(p place) *FormError {
	if err := f.enter(); err != nil {
		return err
	}
	from := len(f.out)
	var entries []entry
	for f.d.More() {
		name, _ := f.token().(string) // a key is one
		e, value, err := f.key(p, name)
		if err == nil {
			err = f.value(value)
		}
		if err != nil {
			return err.in(step(name))
		}
		e.to = len(f.out)
		entries = append(entries, e)
	}
	f.token()
	f.depth--
	slices.SortStableFunc(entries, entry.compare)
	content := bytes.Clone(f.out[from:])
	f.out = codec.AppendMapLen(f.out[:from], len(entries))
	for i, e := range entries {
		if i > 0 && e.compare(entries[i-1]) == 0 {
			return (&FormError{Problem: "it is there twice"}).in(step(e.name))
		}
		f.out = append(f.out, content[e.from-from:e.to-from]...)
	}
	return nil
}

// entry is one of an object, and what it is sorted by: of two that are equal in that, one is too many.
type entry struct {
	name     string
	from, to int // where it stands in out
	rank     int // of a field; other keys come after them, by
	signed   int64
	unsigned uint64
	text     string
}

func (e entry) compare(other entry) int {
	return cmp.Or(cmp.Compare(e.rank, other.rank), cmp.Compare(e.signed, other.signed),
		cmp.Compare(e.unsigned, other.unsigned), cmp.Compare(e.text, other.text))
}

// key appends the key of an entry, and gives the place of its value.
func (f *filler) key(p place, name string) (entry, place, *FormError) {
	e := entry{name: name, from: len(f.out), rank: len(p.fields)}
	if i, ok := p.index[name]; ok {
		e.rank = i
		f.out = codec.AppendString(f.out, name)
		return e, p.fields[i].place, nil
	}
	if !p.open {
		return e, place{}, p.unknownField(name)
	}
	var err error
	f.out, err = p.keys.append(f.out, &e)
	if err != nil {
		return e, place{}, &FormError{Problem: "want as key " + p.keys.wanted()}
	}
	return e, p.values, nil
}

// append appends a key as it travels.
func (k keyForm) append(b []byte, e *entry) (_ []byte, err error) {
	switch k.kind {
	case intKey:
		e.signed, err = strconv.ParseInt(e.name, 10, k.bits)
		return codec.AppendInt(b, e.signed), err
	case uintKey:
		e.unsigned, err = strconv.ParseUint(e.name, 10, k.bits)
		return codec.AppendUint(b, e.unsigned), err
	case boolKey:
		if e.text = e.name; e.name != "true" && e.name != "false" {
			err = strconv.ErrSyntax
		}
		return codec.AppendBool(b, e.name == "true"), err
	case base64Key:
		v, err := base64.StdEncoding.DecodeString(e.name)
		b = codec.AppendBytes(b, v)
		e.text = string(b[e.from:])
		return b, err
	}
	e.text = e.name
	return codec.AppendString(b, e.name), nil
}

func (k keyForm) wanted() string {
	switch k.kind {
	case intKey:
		return fmt.Sprintf("an int%d", k.bits)
	case uintKey:
		return fmt.Sprintf("a uint%d", k.bits)
	case boolKey:
		return "true or false"
	}
	return "base64"
}

// unknownField refuses a key that an object does not have, with what its author may have meant.
func (p place) unknownField(name string) *FormError {
	names := make([]string, len(p.fields))
	for i, f := range p.fields {
		names[i] = f.name
	}
	switch guess := nearest.To(name, names); {
	case guess != "":
		return &FormError{Problem: "there is no such field: did you mean " + guess + "?"}
	case len(names) == 0:
		return &FormError{Problem: "there is no such field, nor any other"}
	}
	return &FormError{Problem: "there is no such field: want one of " + clipped(strings.Join(names, ", "))}
}

// step is a key as it stands in a path.
func step(name string) string {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`."[]`, r) }
	if name != "" && len(name) <= 60 && !strings.ContainsFunc(name, odd) {
		return "." + name
	}
	return "[" + clipped(strconv.Quote(name)) + "]"
}
