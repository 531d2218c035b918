package stemgen

import (
	"fmt"
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
	if t.Depth && t.Kind >= Struct {
		body = append(body, jen.If(jen.Id(depth).Op(">").Qual(codecPath, "MaxDepth")).Block(
			jen.Return(jen.Id(b), jen.Qual(codecPath, "ErrTooDeep")),
		))
	}
	if looksBelow(t) {
		body = append(body, r.id("from").Op(":=").Len(jen.Id(b)))
	}
	fn.Block(append(body, r.appendBody(t)...)...)
	r.file.Line()
}

// looksBelow tells whether a type that may lie at any depth holds others that do not
// know at which.
func looksBelow(t *Type) bool { return t.Sunken && t.Levels > 0 }

// giveBack writes the return of an append function.
func (r *renderer) giveBack(t *Type, b jen.Code) jen.Code {
	if t.Fallible {
		return jen.Return(b, jen.Nil())
	}
	return jen.Return(b)
}

// appendBody writes what follows once it is clear that there is a value.
func (r *renderer) appendBody(t *Type) []jen.Code {
	b, v, depth := r.id("b"), r.id("v"), r.local("depth")
	var code []jen.Code
	switch t.Kind {
	case Text, Binary, Msgpack:
		return r.marshal(t)
	case Custom:
		return r.encodeCustom(t)
	case Raw:
		return []jen.Code{jen.Return(r.call("AppendRaw", b, v, jen.Id(depth)))}
	case Struct:
		code = r.appendStruct(t)
	case Slice:
		code = []jen.Code{r.grow("AppendArrayLen", jen.Len(v)), r.appendElements(t)}
	case Array:
		code = []jen.Code{r.grow("AppendArrayLen", jen.Lit(int(t.Len))), r.appendElements(t)}
	default: // Map
		code = append(code, r.grow("AppendMapLen", jen.Len(v)))
		code = append(code, r.appendEntries(t)...)
	}
	if looksBelow(t) {
		levels := fmt.Sprintf("%s+%d", depth, t.Levels)
		code = append(code, jen.If(jen.Id(levels).Op(">").Qual(codecPath, "MaxDepth")).Block(
			jen.Comment("What lies below was not counted on the way."),
			jen.Return(b, r.call("ValidAt", jen.Add(b).Index(r.id("from").Op(":")), jen.Id(depth))),
		))
	}
	return append(code, r.giveBack(t, b))
}

// grow writes that b grows by a call of the runtime.
func (r *renderer) grow(name string, args ...jen.Code) jen.Code {
	b := r.id("b")
	return jen.Add(b).Op("=").Add(r.call(name, append([]jen.Code{b}, args...)...))
}

// marshal writes what the value says of itself. What is nil says nothing.
func (r *renderer) marshal(t *Type) []jen.Code {
	b, v, data, err := r.local("b"), r.local("v"), r.local("data"), r.local("err")
	code := r.nilSaysNothing(t)
	said := jen.Id(v).Dot("Marshal" + marshalForm(t.Kind)).Call()
	if t.HasAppend {
		scratch := r.local("scratch")
		code = append(code, jen.Var().Id(scratch).Index(jen.Lit(64)).Byte())
		said = jen.Id(v).Dot("Append" + marshalForm(t.Kind)).Call(jen.Id(scratch + "[:0]"))
	}
	code = append(code, jen.List(jen.Id(data), jen.Id(err)).Op(":=").Add(said))
	if t.HasAppend {
		again := jen.Id(v).Dot("Marshal" + marshalForm(t.Kind)).Call()
		code = append(code, jen.If(jen.Id(err).Op("==").Nil().Op("&&").Len(jen.Id(data)).Op("==").Lit(0)).Block(
			jen.List(jen.Id(data), jen.Id(err)).Op("=").Add(again).Comment("which tells nil from empty"),
		))
	}
	code = append(code, jen.If(jen.Id(err).Op("!=").Nil()).Block(jen.Return(jen.Id(b), jen.Id(err))))
	if t.Kind == Msgpack {
		return append(code, jen.Return(r.call("AppendRaw", jen.Id(b), jen.Id(data), r.id("depth"))))
	}
	return append(code, jen.Return(r.call("AppendBytes", jen.Id(b), jen.Id(data)), jen.Nil()))
}

func (r *renderer) nilSaysNothing(t *Type) []jen.Code {
	if t.Zero != "nil" {
		return nil
	}
	return []jen.Code{jen.If(jen.Op("*").Add(r.id("v")).Op("==").Nil()).Block(jen.Return(r.call("AppendNil", r.id("b")), jen.Nil()))}
}

// encodeCustom writes that the value writes itself, as the other library would have it
// do by the rules of our wire.
func (r *renderer) encodeCustom(t *Type) []jen.Code {
	b, v, buf, enc, err := r.local("b"), r.local("v"), r.local("buf"), r.local("enc"), r.local("err")
	return append(r.nilSaysNothing(t),
		jen.Var().Id(buf).Qual("bytes", "Buffer"),
		jen.Id(enc).Op(":=").Qual(msgpackPath, "NewEncoder").Call(jen.Op("&").Id(buf)),
		jen.Id(enc).Dot("UseCompactInts").Call(jen.True()),
		jen.Id(enc).Dot("SetSortMapKeys").Call(jen.True()),
		jen.If(jen.Id(err).Op(":=").Id(v).Dot("EncodeMsgpack").Call(jen.Id(enc)), jen.Id(err).Op("!=").Nil()).Block(jen.Return(jen.Id(b), jen.Id(err))),
		jen.Return(r.call("AppendRaw", jen.Id(b), jen.Id(buf).Dot("Bytes").Call(), r.id("depth"))),
	)
}

// marshalForm gives the end of the names of the methods of a form.
func marshalForm(kind Kind) string {
	switch kind {
	case Text:
		return "Text"
	case Binary:
		return "Binary"
	default:
		return "Msgpack"
	}
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
		if f.Optional() {
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
		if f.Optional() {
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
	if len(f.Via) == 0 && !f.Optional() {
		return r.appendValue(f.Type, p, in)
	}
	carried := f.Type
	if f.Type.Kind == Pointer {
		carried, p = f.Type.Elem, place{value: "*" + p.value, address: p.value}
	}
	value := r.appendValue(carried, p, in)
	if f.Optional() {
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
	case ByteEnums:
		return r.call("AppendUint8s", jen.Id(b), jen.Id(p.value))
	case ByteEnumArray:
		return r.call("AppendUint8s", jen.Id(b), p.bytes())
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
