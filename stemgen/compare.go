package stemgen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gostem/gostem/internal/nearest"
)

// A change is one that what is queued, or what is kept of results, does not survive.
type change struct {
	code    Code
	message string
	fix     []string
	fatal   bool // values of the version cannot be read as they were meant
}

// A comparison finds out what the code that reads a schema now makes of values that
// were written under an older one.
type comparison struct {
	task    string
	result  bool // results are compared, not args
	renames bool // the older one is the last: what is gone may have got another name
	found   []change
	seen    map[[3]*schema]bool
}

// compare compares values of old with how they are read now. Last is how they were
// read when the lock was written.
func (c *comparison) compare(old, last, now *schema) []change {
	c.seen = make(map[[3]*schema]bool)
	root := &step{name: "args"}
	if c.result {
		root.name = "result"
	}
	c.walk(old, last, now, root)
	return c.found
}

// A step is where a comparison has come to. Its text is made only where something is
// found there.
type step struct {
	from *step
	name string
}

func (s *step) to(name string) *step { return &step{s, name} }

// String gives the whole way: "args.Items[].sku".
func (s *step) String() string {
	var names []string
	for ; s != nil; s = s.from {
		names = append(names, s.name)
	}
	slices.Reverse(names)
	return strings.Join(names, "")
}

// walk compares two types. Last is nil where there was none.
func (c *comparison) walk(old, last, now *schema, path *step) {
	old, last, now = old.inner(), last.inner(), now.inner()
	at := [3]*schema{old, last, now}
	if c.seen[at] {
		return
	}
	c.seen[at] = true
	switch {
	case now.readsAll(), old.isWord("none"):
	case old.form == structForm && now.form == structForm:
		c.structs(old, last, now, path)
	case old.form == entriesForm && now.form == entriesForm:
		c.walk(old.key, nil, now.key, path.to("[key]"))
		c.walk(old.elem, last.element(), now.elem, path.to("[value]"))
	case old.form == structForm && now.form == entriesForm && (now.key.isWord("string") || len(old.fields) == 0):
		for _, f := range old.fields {
			c.walk(f.schema, nil, now.elem, path.to("."+f.wire))
		}
	case old.form == entriesForm && now.form == structForm && readsWord(old.key, &schema{word: "string"}):
		for _, f := range now.fields {
			c.walk(old.elem, nil, f.schema, path.to("."+f.wire))
		}
	case old.isArray() && now.isArray() && now.holds(old):
		if old.form == listForm || old.length > 0 {
			c.walk(old.elem, last.element(), now.elem, path.to("[]"))
		}
	case old.form == scalarForm && now.form == scalarForm && readsWord(old, now):
	default:
		c.changed(path, old.kind(), now.kind())
	}
}

// structs compares field by field. A field that nobody reads any more is skipped, and
// one that nobody has written stays zero.
func (c *comparison) structs(old, last, now *schema, path *step) {
	readers := make(map[string]string) // the written name by that of the field which reads it
	var gone []string
	for _, f := range old.fields {
		before, after := last.reader(f.wire), now.reader(f.wire)
		if after == nil {
			gone = append(gone, f.wire)
			c.dropped(path, f.wire, before, now)
			continue
		}
		name := "." + after.wire
		if after.wire != f.wire {
			name += " (once " + f.wire + ")"
		}
		if other, twice := readers[after.wire]; twice {
			c.twice(path.to("."+after.wire), other, f.wire)
		}
		readers[after.wire] = f.wire
		var read *schema
		if before != nil {
			read = before.schema
		}
		c.walk(f.schema, read, after.schema, path.to(name))
	}
	var appeared []string
	for _, f := range now.fields {
		if _, known := readers[f.wire]; !known {
			appeared = append(appeared, f.wire)
		}
	}
	if c.renames {
		c.renamed(path, old, now, gone, appeared)
	}
}

// The ways out that several changes share.
const (
	fixUndeployed = "or, if the version before was never deployed, go back to the lock of the one that is: git checkout " + LockName + ", in its folder"
	fixSetAside   = "or accept it with stemgen -accept: what is queued under such a version then waits for a worker of that version"
	fixResult     = "or accept it with stemgen -accept: waiting for a result that is kept then gives an error"
)

func (c *comparison) add(code Code, fatal bool, fix []string, format string, args ...any) {
	message := c.task + ": " + fmt.Sprintf(format, args...)
	c.found = append(c.found, change{code: code, message: message, fix: append(fix, fixUndeployed), fatal: fatal})
}

// waits gives what accepting the change means.
func (c *comparison) waits() string {
	if c.result {
		return fixResult
	}
	return fixSetAside
}

func (c *comparison) changed(path *step, was, is string) {
	waiting := "be queued"
	if c.result {
		waiting = "be kept"
	}
	c.add(CodeChangedKind, true, []string{"keep the old one as it is, and carry the new one under another name beside it", c.waits()},
		"%s was %s and is %s now, which does not read all that may %s", path, was, is, waiting)
}

// dropped looks for a field that read the name as an older one of its own, and does
// not any more.
func (c *comparison) dropped(path *step, wire string, before *schemaField, now *schema) {
	if before == nil || before.wire == wire {
		return
	}
	if heir := now.reader(before.wire); heir != nil {
		c.add(CodeDroppedAlias, true, []string{fmt.Sprintf("put alias:%s back into its tag", wire), c.waits()},
			"%s.%s does not read the older name %s any more, under which values may be queued", path, heir.wire, wire)
	}
}

func (c *comparison) twice(path *step, one, other string) {
	c.add(CodeTwoForOne, true, []string{"leave that alias out: a field of its own keeps the value", c.waits()},
		"%s reads both %s and %s, which earlier versions write side by side: one value would take the other's place", path, one, other)
}

// renamed suspects that a field got another name where one that is new could read what
// one that is gone has written.
func (c *comparison) renamed(path *step, old, now *schema, gone, appeared []string) {
	from, to := likelyRename(old, now, gone, appeared)
	if from == "" {
		return
	}
	are := func(names []string, one, several string) string {
		if len(names) == 1 {
			return names[0] + one
		}
		return strings.Join(names, ", ") + several
	}
	fix := []string{
		fmt.Sprintf("if so, read the old name too: msgpack:\"%s,alias:%s\", on a field of a struct of your own where it is a parameter", to, from),
		"if not, say so with stemgen -accept: older values are then read without what is gone",
	}
	c.add(CodeRenamedField, false, fix, "in %s %s and %s: was that a rename? Then the old values would be lost", path, are(gone, " is gone", " are gone"), are(appeared, " is new", " are new"))
}

// likelyRename gives, of the pairs that could be one field, that whose names are most
// alike.
func likelyRename(old, now *schema, gone, appeared []string) (from, to string) {
	for _, heir := range appeared {
		var could []string
		for _, name := range gone {
			probe := comparison{}
			if written := old.reader(name).schema; len(probe.compare(written, written, now.reader(heir).schema)) == 0 {
				could = append(could, name)
			}
		}
		switch alike := nearest.To(heir, could); {
		case alike != "":
			return alike, heir
		case from == "" && len(could) > 0:
			from, to = could[0], heir
		}
	}
	return from, to
}

// inner gives what an optional holds: a nil is read as the zero value.
func (s *schema) inner() *schema {
	for s != nil && s.form == optionalForm {
		s = s.elem
	}
	return s
}

// element gives the type of the elements, or nil.
func (s *schema) element() *schema {
	if s == nil || s.elem == nil {
		return nil
	}
	return s.elem
}

// reader gives the field that reads a name, or nil.
func (s *schema) reader(wire string) *schemaField {
	if s == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.fields, wire, func(f schemaField, wire string) int { return strings.Compare(f.wire, wire) })
	if !found {
		i = slices.IndexFunc(s.fields, func(f schemaField) bool { return slices.Contains(f.aliases, wire) })
	}
	if i < 0 {
		return nil
	}
	return &s.fields[i]
}

func (s *schema) isWord(word string) bool { return s.form == scalarForm && s.word == word }

func (s *schema) isArray() bool { return s.form == listForm || s.form == fixedForm }

// readsAll tells whether any value at all is read: kept as it is, or forgotten.
func (s *schema) readsAll() bool {
	return s.isWord("none") || s.isWord("any") || s.form == structForm && len(s.fields) == 0
}

// holds tells whether an array has room for as many elements as the old one writes.
func (s *schema) holds(old *schema) bool {
	return s.form == listForm || old.form == fixedForm && old.length <= s.length
}

// kind names the type in a message.
func (s *schema) kind() string {
	switch s.form {
	case listForm:
		return "a list"
	case fixedForm:
		return fmt.Sprintf("an array of %d", s.length)
	case entriesForm:
		return "a map"
	case structForm:
		return "a struct"
	}
	if s.detail != "" {
		return fmt.Sprintf("%s(%s)", s.word, s.detail)
	}
	return s.word
}

// wordRanges are the integers that a word can be: from -2^low, or 0 where that is 0, to
// below 2^high.
var wordRanges = map[string]struct{ low, high int }{
	"int8": {7, 7}, "int16": {15, 15}, "int32": {31, 31}, "int64": {63, 63}, "duration": {63, 63},
	"uint8": {0, 8}, "uint16": {0, 16}, "uint32": {0, 32}, "uint64": {0, 64},
}

// floatBits is up to which power of two a float holds every integer.
var floatBits = map[string]int{"float32": 24, "float64": 53}

// readsWord tells whether every value of a scalar can be read as another, without
// changing a number. A float reads any integer, but keeps only so many digits.
func readsWord(old, now *schema) bool {
	from, isInt := wordRanges[old.word]
	to, toInt := wordRanges[now.word]
	bits, toFloat := floatBits[now.word]
	switch {
	case old.word == "none":
		return true
	case isInt && toInt:
		return from.low <= to.low && from.high <= to.high
	case isInt && toFloat:
		return from.low <= bits && from.high <= bits
	case floatBits[old.word] > 0 && toFloat:
		return floatBits[old.word] <= bits
	case now.word == "string":
		return slices.Contains([]string{"string", "bytes", "text", "binary"}, old.word)
	case now.word == "bytes" && now.detail != "":
		return old.word == "bytes" && old.detail != "" && length(old) <= length(now)
	case now.word == "bytes":
		return slices.Contains([]string{"string", "bytes", "text", "binary"}, old.word)
	}
	return old.word == now.word && old.detail == now.detail
}

// length gives the length of bytes of a fixed one.
func length(s *schema) uint64 {
	n, err := strconv.ParseUint(s.detail, 10, 63)
	if err != nil { // the parser has looked
		panic(err)
	}
	return n
}
