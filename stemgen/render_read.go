package stemgen

import "github.com/dave/jennifer/jen"

// readFunc writes the function that reads values of a type.
func (r *renderer) readFunc(t *Type) {
	v, reader := r.local("v"), r.local("r")
	fn := r.file.Func().Id(readName(t)).Params(r.readerParam(), jen.Id(v).Op("*").Add(r.typ(t.Go)))
	leave := jen.Id(reader).Dot("Leave").Call()
	i := r.local("i")
	switch t.Kind {
	case Struct:
		fn.Block(r.readStruct(t)...)
	case Text, Binary, Custom, Msgpack:
		fn.Block(r.unmarshal(t)...)
	case Raw:
		fn.Block(r.readNil(), jen.Op("*").Id(v).Op("=").Add(r.typ(t.Go)).Parens(jen.Id(reader).Dot("Raw").Call()))
	case Slice:
		n, s := r.local("n"), r.local("s")
		fn.Block(
			r.readNil(),
			jen.Id(n).Op(":=").Id(reader).Dot("EnterArray").Call(),
			jen.Id(s).Op(":=").Make(r.typ(t.Go), r.capacity("Cap", r.typ(t.Elem.Go))),
			jen.For(jen.Id(i).Op(":=").Range().Id(n)).BlockFunc(func(g *jen.Group) {
				g.If(jen.Id(i).Op("==").Len(jen.Id(s))).Block(
					jen.Comment("Those came, so the rest is believed."),
					jen.Id(s).Op("=").Append(jen.Id(s), jen.Make(r.typ(t.Go), jen.Id(n+"-"+i)).Op("...")),
				)
				for _, c := range r.readValue(t.Elem, at(s+"["+i+"]")) {
					g.Add(c)
				}
				g.Add(r.stopAt("InIndex", i))
			}),
			leave,
			jen.Op("*").Id(v).Op("=").Id(s),
		)
	case Array:
		fn.Block(
			jen.For(jen.Id(i).Op(":=").Range().Id(reader).Dot("EnterFixedArray").Call(jen.Lit(int(t.Len)))).Block(
				append(r.readValue(t.Elem, at(v+"["+i+"]")), r.stopAt("InIndex", i))...,
			),
			leave,
		)
	default: // Map
		fn.Block(
			r.readNil(),
			r.id("n").Op(":=").Id(reader).Dot("EnterMap").Call(),
			r.id("m").Op(":=").Make(r.typ(t.Go), r.capacity("MapCap", r.typ(t.Key.Go), r.typ(t.Elem.Go))),
			jen.For(jen.Id(i).Op(":=").Range().Add(r.id("n"))).Block(append(r.readEntry(t), r.stopAt("InIndex", i))...),
			leave,
			jen.Op("*").Id(v).Op("=").Add(r.id("m")),
		)
	}
	r.file.Line()
}

// unmarshal writes that the value takes what it has said of itself: nothing, where that
// was nil.
func (r *renderer) unmarshal(t *Type) []jen.Code {
	v, data, reader, in := r.local("v"), r.local("data"), r.id("r"), r.local("in")
	zero := jen.Id(t.Zero)
	if t.Zero == "{}" {
		zero = r.typ(t.Go).Values()
	}
	take, view := []jen.Code{jen.Add(reader).Dot("Fail").Call(jen.Id(v).Dot("Unmarshal" + marshalForm(t.Kind)).Call(jen.Id(data)))}, "View"
	switch t.Kind {
	case Msgpack:
		view = "Raw" // which it may keep: nothing tells authors not to
	case Custom:
		view = "RawView"
		take = []jen.Code{
			jen.Id(in).Op(":=").Qual("bytes", "NewReader").Call(jen.Id(data)),
			jen.Add(reader).Dot("Fail").Call(jen.Id(v).Dot("DecodeMsgpack").Call(jen.Qual(msgpackPath, "NewDecoder").Call(jen.Id(in)))),
			jen.Add(reader).Dot("FailUnread").Call(jen.Id(in).Dot("Len").Call()),
		}
	}
	return []jen.Code{
		jen.If(jen.Add(reader).Dot("Nil").Call()).Block(jen.Op("*").Id(v).Op("=").Add(zero), jen.Return()),
		jen.If(jen.Id(data).Op(":=").Add(reader).Dot(view).Call(), jen.Op("!").Add(reader).Dot("Failed").Call()).Block(take...),
	}
}

// capacity writes how much to make room for before n things have come.
func (r *renderer) capacity(name string, types ...jen.Code) *jen.Statement {
	return jen.Qual(codecPath, name).Types(types...).Call(r.id("n"))
}

// readNil writes the way out for a nil slice or map.
func (r *renderer) readNil() jen.Code {
	return jen.If(r.id("r").Dot("Nil").Call()).Block(jen.Op("*").Add(r.id("v")).Op("=").Nil(), jen.Return())
}

// stopAt writes the way out after a failure.
func (r *renderer) stopAt(method, where string) jen.Code {
	return jen.If(r.id("r").Dot("Failed").Call()).Block(r.id("r").Dot(method).Call(jen.Id(where)), jen.Return())
}

func (r *renderer) readStruct(t *Type) []jen.Code {
	v, reader, n, key := r.local("v"), r.local("r"), r.local("n"), r.local("key")
	if len(t.Fields) == 0 {
		return []jen.Code{jen.Id(reader).Dot("Skip").Call()}
	}
	var cases []jen.Code
	for _, f := range t.Fields {
		names := []jen.Code{jen.Lit(f.Wire)}
		for _, alias := range f.Aliases {
			names = append(names, jen.Lit(alias))
		}
		cases = append(cases, jen.Case(names...).Block(r.readField(f, v)...))
	}
	cases = append(cases, jen.Default().Block(jen.Id(reader).Dot("Skip").Call()))
	return []jen.Code{
		jen.For(jen.Id(n).Op(":=").Id(reader).Dot("EnterMap").Call(), jen.Id(n).Op(">").Lit(0), jen.Id(n).Op("--")).Block(
			jen.Id(key).Op(":=").Id(reader).Dot("Key").Call(),
			jen.Switch(jen.String().Parens(jen.Id(key))).Block(cases...),
			r.stopAt("InField", key),
		),
		jen.Id(reader).Dot("Leave").Call(),
	}
}

// readField writes what reads a field. Embedded pointers on the way are made when
// there is something for them to hold.
func (r *renderer) readField(f Field, v string) []jen.Code {
	p := at(v + "." + f.Select)
	if len(f.Via) == 0 {
		return r.readValue(f.Type, p)
	}
	var code []jen.Code
	for _, hop := range f.Via {
		to := v + "." + hop.Select
		code = append(code, jen.If(jen.Id(to).Op("==").Nil()).Block(jen.Id(to).Op("=").New(r.typ(hop.Elem))))
	}
	if f.Type.Kind == Pointer {
		code = append(code, r.readPointee(f.Type, p)...)
	} else {
		code = append(code, r.readValue(f.Type, p)...)
	}
	return []jen.Code{jen.If(jen.Op("!").Add(r.id("r")).Dot("Nil").Call()).Block(code...)}
}

// readExpr writes the expression that reads a value, or nil for kinds that are read
// into a place.
func (r *renderer) readExpr(t *Type) *jen.Statement {
	reader := r.id("r")
	if s, ok := scalars[t.Kind]; ok {
		if t.Defined {
			return r.typ(t.Go).Parens(reader.Dot(s.read).Call())
		}
		return reader.Dot(s.read).Call()
	}
	switch t.Kind {
	case Bytes:
		return reader.Dot("Bytes").Call()
	case Duration:
		return reader.Dot("Duration").Call()
	case Time:
		if t.Defined {
			return r.typ(t.Go).Parens(reader.Dot("Time").Call())
		}
		return reader.Dot("Time").Call()
	}
	return nil
}

// readValue writes the statements that read a value into a place.
func (r *renderer) readValue(t *Type, p place) []jen.Code {
	if expr := r.readExpr(t); expr != nil {
		return []jen.Code{jen.Id(p.value).Op("=").Add(expr)}
	}
	reader := r.id("r")
	switch t.Kind {
	case ByteArray:
		return []jen.Code{reader.Dot("BytesInto").Call(p.bytes())}
	case ByteEnums:
		return []jen.Code{r.call("ReadUint8s", reader, jen.Id(p.address))}
	case ByteEnumArray:
		return []jen.Code{r.call("ReadUint8sInto", reader, p.bytes())}
	case Pointer:
		return []jen.Code{
			jen.If(reader.Dot("Nil").Call()).Block(jen.Id(p.value).Op("=").Nil()).Else().Block(r.readPointee(t, p)...),
		}
	default:
		return []jen.Code{jen.Id(readName(t)).Call(reader, jen.Id(p.address))}
	}
}

// readPointee writes the statements that read what a pointer is to lead to.
func (r *renderer) readPointee(t *Type, p place) []jen.Code {
	code := []jen.Code{jen.Id(p.value).Op("=").New(r.typ(t.Elem.Go))}
	return append(code, r.readValue(t.Elem, place{value: "*" + p.value, address: p.value})...)
}
