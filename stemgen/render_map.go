package stemgen

import (
	"slices"

	"github.com/dave/jennifer/jen"
)

// appendEntries writes the loop over a map, in the order of its keys.
func (r *renderer) appendEntries(t *Type) []jen.Code {
	switch t.Key.Kind {
	case Bool:
		return []jen.Code{r.appendBoth(t)}
	case Text, Binary:
		return r.appendEncoded(t)
	}
	e := r.local("e")
	key := r.appendValue(t.Key, at(e+".Key"), scope{})
	entry := jen.Index().Qual(codecPath, "Entry").Types(r.typ(t.Key.Go), r.typ(t.Elem.Go))
	room := jen.Lit(8) // on the stack
	if t.Elem.bulky() {
		room = jen.Len(r.id("v"))
	}
	entries := r.call("SortedEntries", jen.Make(entry, jen.Lit(0), room), r.id("v"))
	return []jen.Code{r.overEntries(t, entries, append(key, r.withErr(t.Elem, nil)...))}
}

// bulky tells whether a value is too large for there to be room for several that may
// not come.
func (t *Type) bulky() bool {
	switch t.Kind {
	case ByteArray, ByteEnumArray:
		return t.Len > 512
	case Array:
		return t.Len > 64 || t.Elem.bulky()
	case Struct:
		return slices.ContainsFunc(t.Fields, func(f Field) bool { return len(f.Via) == 0 && f.Type.bulky() })
	}
	return false
}

// overEntries writes the loop over entries in order, key being what comes before the
// value. An entry goes by its position: its key is part of the payload.
func (r *renderer) overEntries(t *Type, entries jen.Code, key []jen.Code) jen.Code {
	i, e := r.local("i"), r.local("e")
	in := r.inner(t, "[%d]", jen.Id(i))
	if !t.Elem.Inner().Fallible || in.fail == nil {
		i = "_"
	}
	value := r.appendValue(t.Elem, at(e+".Value"), in)
	return jen.For(jen.List(jen.Id(i), jen.Id(e)).Op(":=").Range().Add(entries)).Block(append(key, value...)...)
}

// appendBoth writes the loop over a map with two keys at most.
func (r *renderer) appendBoth(t *Type) jen.Code {
	v, k, e := r.local("v"), r.local("k"), r.local("e")
	body := r.appendValue(t.Key, at(k), scope{})
	body = append(body, r.withErr(t.Elem, r.appendValue(t.Elem, at(e), scope{depth: r.local("depth") + "+1"}))...)
	both := jen.Index(jen.Op("...")).Add(r.typ(t.Key.Go)).Values(jen.False(), jen.True())
	return jen.For(jen.List(jen.Id("_"), jen.Id(k)).Op(":=").Range().Add(both)).Block(
		jen.If(jen.List(jen.Id(e), r.id("ok")).Op(":=").Id(v).Index(jen.Id(k)), r.id("ok")).Block(body...),
	)
}

// appendEncoded writes the loop over a map whose keys say themselves how they travel.
func (r *renderer) appendEncoded(t *Type) []jen.Code {
	b, err, entries := r.id("b"), r.id("err"), r.id("entries")
	key := jen.Add(b).Op("=").Append(b, r.id("e").Dot("Key").Op("..."))
	return []jen.Code{
		jen.List(entries, err).Op(":=").Add(r.call("EncodedEntries", r.id("v"), jen.Id(appendName(t.Key)))),
		jen.If(jen.Add(err).Op("!=").Nil()).Block(jen.Return(b, err)),
		r.overEntries(t, entries, []jen.Code{key}),
	}
}

// readEntry writes what reads a key and its value.
func (r *renderer) readEntry(t *Type) []jen.Code {
	k, m, e := r.local("k"), r.local("m"), r.local("e")
	code := []jen.Code{jen.Var().Id(k).Add(r.typ(t.Key.Go))}
	if expr := r.readExpr(t.Key); expr != nil {
		code = []jen.Code{jen.Id(k).Op(":=").Add(expr)}
	} else {
		code = append(code, r.readValue(t.Key, at(k))...)
	}
	if expr := r.readExpr(t.Elem); expr != nil {
		return append(code, jen.Id(m).Index(jen.Id(k)).Op("=").Add(expr))
	}
	code = append(code, jen.Var().Id(e).Add(r.typ(t.Elem.Go)))
	code = append(code, r.readValue(t.Elem, at(e))...)
	return append(code, jen.Id(m).Index(jen.Id(k)).Op("=").Id(e))
}
