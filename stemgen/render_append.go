package stemgen

import (
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"
)

// appendFunc writes the function that appends values of a type.
func (r *renderer) appendFunc(t *Type) {
	b, v, depth := r.local("b"), r.local("v"), r.local("depth")
	typ := r.typ(t.Go)
	if byPointer(t) {
		typ = jen.Op("*").Add(typ)
	}
	params := []jen.Code{r.byteParam(), jen.Id(v).Add(typ)}
	if t.Depth {
		params = append(params, jen.Id(depth).Int())
	}
	if t.Recursive {
		r.comment("%s takes the depth at which %s lies, for it may hold more of its kind.", appendName(t), v)
	}
	fn := r.file.Func().Id(appendName(t)).Params(params...)
	if t.Fallible {
		fn.Params(jen.Index().Byte(), jen.Error())
	} else {
		fn.Index().Byte()
	}
	var body []jen.Code
	if !byPointer(t) {
		body = append(body, jen.If(jen.Id(v).Op("==").Nil()).Block(r.giveBack(t, r.call("AppendNil", jen.Id(b)))))
	}
	if t.Depth {
		body = append(body, jen.If(jen.Id(depth).Op(">").Qual(codecPath, "MaxDepth")).Block(
			jen.Return(jen.Id(b), jen.Qual(codecPath, "ErrTooDeep")),
		))
	}
	fn.Block(append(body, r.appendBody(t)...)...)
	r.file.Line()
}

// giveBack writes the return of an append function.
func (r *renderer) giveBack(t *Type, b jen.Code) jen.Code {
	if t.Fallible {
		return jen.Return(b, jen.Nil())
	}
	return jen.Return(b)
}

// appendBody writes what follows once it is clear that there is a value.
func (r *renderer) appendBody(t *Type) []jen.Code {
	b, v, raw := r.local("b"), r.local("v"), r.local("raw")
	var code []jen.Code
	add := func(c ...jen.Code) { code = append(code, c...) }
	switch t.Kind {
	case Text, Binary:
		return r.marshal(t)
	case Struct:
		add(r.appendStruct(t)...)
	case Slice:
		add(r.grow("AppendArrayLen", jen.Len(jen.Id(v))), r.appendElements(t))
	case Array:
		add(r.grow("AppendArrayLen", jen.Lit(int(t.Len))), r.appendElements(t))
	case Map:
		add(r.grow("AppendMapLen", jen.Len(jen.Id(v))), r.appendEntries(t))
	case ByteEnums:
		add(jen.Id(raw).Op(":=").Make(jen.Index().Byte(), jen.Len(jen.Id(v))), r.copyEach(raw, jen.Byte(), v))
		return append(code, jen.Return(r.call("AppendBytes", jen.Id(b), jen.Id(raw))))
	default: // ByteEnumArray
		add(jen.Var().Id(raw).Index(jen.Lit(int(t.Len))).Byte(), r.copyEach(raw, jen.Byte(), v))
		return append(code, jen.Return(r.call("AppendBytes", jen.Id(b), jen.Id(raw+"[:]"))))
	}
	return append(code, r.giveBack(t, jen.Id(b)))
}

// grow writes that b grows by a call of the runtime.
func (r *renderer) grow(name string, args ...jen.Code) jen.Code {
	b := r.id("b")
	return jen.Add(b).Op("=").Add(r.call(name, append([]jen.Code{b}, args...)...))
}

// marshal writes what the value says of itself. What is nil says nothing.
func (r *renderer) marshal(t *Type) []jen.Code {
	b, v, data, err := r.local("b"), r.local("v"), r.local("data"), r.local("err")
	var code []jen.Code
	if t.Zero == "nil" {
		code = append(code, jen.If(jen.Op("*").Id(v).Op("==").Nil()).Block(jen.Return(r.call("AppendNil", jen.Id(b)), jen.Nil())))
	}
	return append(code,
		jen.List(jen.Id(data), jen.Id(err)).Op(":=").Id(v).Dot("Marshal"+marshalForm(t)).Call(),
		jen.If(jen.Id(err).Op("!=").Nil()).Block(jen.Return(jen.Id(b), jen.Id(err))),
		jen.Return(r.call("AppendBytes", jen.Id(b), jen.Id(data)), jen.Nil()),
	)
}

func marshalForm(t *Type) string {
	if t.Kind == Text {
		return "Text"
	}
	return "Binary"
}

// inner gives the scope of what a type holds. A failure is told with its place, but
// not within a recursive type: a path would be as long as the value is deep.
func (r *renderer) inner(t *Type, where string, args ...jen.Code) scope {
	in := scope{depth: r.local("depth") + "+1"}
	if !t.Recursive {
		err := r.local("err")
		in.fail = jen.Qual("fmt", "Errorf").Call(append(append([]jen.Code{jen.Lit(where + ": %w")}, args...), jen.Id(err))...)
	}
	return in
}

// appendElements writes the loop over a slice or an array.
func (r *renderer) appendElements(t *Type) jen.Code {
	v, i := r.local("v"), r.local("i")
	in := r.inner(t, "[%d]", jen.Id(i))
	return jen.For(jen.Id(i).Op(":=").Range().Id(v)).Block(
		r.withErr(t.Elem, r.appendValue(t.Elem, at(v+"["+i+"]"), in))...,
	)
}

// withErr declares err before code that appends a value which may fail.
func (r *renderer) withErr(t *Type, code []jen.Code) []jen.Code {
	if !t.Inner().Fallible {
		return code
	}
	return append([]jen.Code{jen.Var().Add(r.id("err")).Error()}, code...)
}

// copyEach writes a loop that converts each element.
func (r *renderer) copyEach(to string, typ *jen.Statement, from string) jen.Code {
	i, e := r.local("i"), r.local("e")
	return jen.For(jen.List(jen.Id(i), jen.Id(e)).Op(":=").Range().Id(from)).Block(
		jen.Id(to).Index(jen.Id(i)).Op("=").Add(typ).Parens(jen.Id(e)),
	)
}

// appendStruct writes the fields one after the other. What does not depend on the
// value is put together into constants.
func (r *renderer) appendStruct(t *Type) []jen.Code {
	b, v := r.local("b"), r.local("v")
	var code []jen.Code
	if slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Type.Inner().Fallible }) {
		code = append(code, jen.Var().Add(r.id("err")).Error())
	}
	var pending []wirePart
	flush := func() {
		if pending != nil {
			code = append(code, jen.Id(b).Op("=").Append(jen.Id(b), jen.Op(wireLiteral(pending)).Op("...")))
			pending = nil
		}
	}
	if always, optional := splitOptional(t.Fields); len(optional) == 0 {
		pending = append(pending, mapPart(len(t.Fields)))
	} else {
		n := r.local("n")
		code = append(code, jen.Id(n).Op(":=").Lit(always))
		for _, f := range optional {
			code = append(code, jen.If(r.isPresent(f, v)).Block(jen.Id(n).Op("++")))
		}
		code = append(code, r.grow("AppendMapLen", jen.Id(n)))
	}
	for _, f := range t.Fields {
		value := r.appendField(t, f, v)
		if f.OmitEmpty {
			flush()
			key := jen.Id(b).Op("=").Append(jen.Id(b), jen.Op(wireLiteral([]wirePart{keyPart(f.Wire)})).Op("..."))
			code = append(code, jen.If(r.isPresent(f, v)).Block(append([]jen.Code{key}, value...)...))
			continue
		}
		pending = append(pending, keyPart(f.Wire))
		flush()
		code = append(code, value...)
	}
	flush()
	return code
}

func splitOptional(fields []Field) (always int, optional []Field) {
	for _, f := range fields {
		if f.OmitEmpty {
			optional = append(optional, f)
		} else {
			always++
		}
	}
	return always, optional
}

// appendField writes the value of a field. One that an embedded pointer would hold
// which is nil is nil itself.
func (r *renderer) appendField(t *Type, f Field, v string) []jen.Code {
	in := r.inner(t, strings.ReplaceAll(f.Wire, "%", "%%"))
	p := at(v + "." + f.Select)
	if len(f.Via) == 0 && !f.OmitEmpty {
		return r.appendValue(f.Type, p, in)
	}
	carried := f.Type
	if f.Type.Kind == Pointer {
		carried, p = f.Type.Elem, place{value: "*" + p.value, address: p.value}
	}
	value := r.appendValue(carried, p, in)
	if f.OmitEmpty {
		return value
	}
	missing := jen.Null()
	for i, hop := range f.Via {
		if i > 0 {
			missing.Op("||")
		}
		missing.Id(v + "." + hop.Select).Op("==").Nil()
	}
	if f.Type.Kind == Pointer {
		missing.Op("||").Id(p.address).Op("==").Nil()
	}
	return []jen.Code{jen.If(missing).Block(r.grow("AppendNil")).Else().Block(value...)}
}

// isPresent writes the condition under which a field with omitempty is not left out.
func (r *renderer) isPresent(f Field, v string) *jen.Statement {
	value := jen.Id(v + "." + f.Select)
	var present *jen.Statement
	switch t := f.Type; {
	case t.HasZero:
		present = jen.Op("!").Add(value).Dot("IsZero").Call()
	case t.Kind == Bool:
		present = value
	case t.Kind == String:
		present = value.Op("!=").Lit("")
	case t.Kind == Pointer:
		present = value.Op("!=").Nil()
	case t.Kind == Bytes, t.Kind == Slice, t.Kind == Map, t.Kind == ByteEnums:
		present = jen.Len(value).Op("!=").Lit(0)
	default:
		present = value.Op("!=").Lit(0)
	}
	for i := len(f.Via) - 1; i >= 0; i-- {
		present = jen.Id(v + "." + f.Via[i].Select).Op("!=").Nil().Op("&&").Add(present)
	}
	return present
}

// appendEntries writes the loop over a map, in the order of its keys.
func (r *renderer) appendEntries(t *Type) jen.Code {
	v, i, k, e := r.local("v"), r.local("i"), r.local("k"), r.local("e")
	if t.Key.Kind == Bool {
		body := r.appendValue(t.Key, at(k), scope{})
		body = append(body, r.withErr(t.Elem, r.appendValue(t.Elem, at(e), scope{depth: r.local("depth") + "+1"}))...)
		both := jen.Index(jen.Op("...")).Add(r.typ(t.Key.Go)).Values(jen.False(), jen.True())
		return jen.For(jen.List(jen.Id("_"), jen.Id(k)).Op(":=").Range().Add(both)).Block(
			jen.If(jen.List(jen.Id(e), r.id("ok")).Op(":=").Id(v).Index(jen.Id(k)), r.id("ok")).Block(body...),
		)
	}
	// An entry goes by its position: its key is part of the payload.
	in := r.inner(t, "[%d]", jen.Id(i))
	body := r.appendValue(t.Key, at(e+".Key"), scope{})
	body = append(body, r.withErr(t.Elem, r.appendValue(t.Elem, at(e+".Value"), in))...)
	if !t.Elem.Inner().Fallible || in.fail == nil {
		i = "_"
	}
	entry := jen.Index().Qual(codecPath, "Entry").Types(r.typ(t.Key.Go), r.typ(t.Elem.Go))
	entries := r.call("SortedEntries", jen.Make(entry, jen.Lit(0), jen.Lit(8)), jen.Id(v))
	return jen.For(jen.List(jen.Id(i), jen.Id(e)).Op(":=").Range().Add(entries)).Block(body...)
}

// appended writes the expression that is buffer b with the value appended, or nil for
// kinds that take statements.
func (r *renderer) appended(t *Type, b string, p place) *jen.Statement {
	if s, ok := scalars[t.Kind]; ok {
		value := jen.Id(p.value)
		if t.Defined || s.takes != s.gives {
			value = jen.Id(s.takes).Parens(value)
		}
		return r.call(s.append, jen.Id(b), value)
	}
	switch t.Kind {
	case Bytes:
		return r.call("AppendBytes", jen.Id(b), jen.Id(p.value))
	case ByteArray:
		return r.call("AppendBytes", jen.Id(b), p.bytes())
	case Time:
		return r.call("AppendTime", jen.Id(b), p.converted(t, jen.Qual("time", "Time")))
	case Duration:
		return r.call("AppendDuration", jen.Id(b), jen.Id(p.value))
	}
	if t.OwnFunctions() && !t.Fallible {
		return r.callAppend(t, b, p, "")
	}
	return nil
}

// callAppend writes the call of a type's own append function.
func (r *renderer) callAppend(t *Type, b string, p place, depth string) *jen.Statement {
	value := p.value
	if byPointer(t) {
		value = p.address
	}
	args := []jen.Code{jen.Id(b), jen.Id(value)}
	if t.Depth {
		args = append(args, jen.Id(depth))
	}
	return jen.Id(appendName(t)).Call(args...)
}

// A scope is what the code around a value knows of it.
type scope struct {
	depth string         // at which the value lies, as an expression
	fail  *jen.Statement // what to return besides b where its encoding fails; nil for err as it is
}

// appendValue writes the statements that append the value to b. An err is declared.
func (r *renderer) appendValue(t *Type, p place, in scope) []jen.Code {
	b, err := r.local("b"), r.local("err")
	if one := r.appended(t, b, p); one != nil {
		return []jen.Code{jen.Id(b).Op("=").Add(one)}
	}
	if t.Kind == Pointer {
		code := jen.If(jen.Id(p.value).Op("==").Nil()).Block(r.grow("AppendNil")).Else()
		inner := r.appendValue(t.Elem, place{value: "*" + p.value, address: p.value}, in)
		if t.Elem.Fallible {
			return []jen.Code{code.Add(inner[0])} // else if
		}
		return []jen.Code{code.Block(inner...)}
	}
	fail := in.fail
	if fail == nil {
		fail = jen.Id(err)
	}
	return []jen.Code{jen.If(
		jen.List(jen.Id(b), jen.Id(err)).Op("=").Add(r.callAppend(t, b, p, in.depth)),
		jen.Id(err).Op("!=").Nil(),
	).Block(jen.Return(jen.Id(b), fail))}
}
