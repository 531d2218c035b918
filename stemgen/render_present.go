package stemgen

import (
	"slices"

	"github.com/dave/jennifer/jen"
)

// isPresent writes the condition under which an optional field is not left out.
func (r *renderer) isPresent(f Field, v string) *jen.Statement {
	present := r.notZero
	if f.OmitEmpty {
		present = r.notEmpty
	}
	condition := present(f.Type, at(v+"."+f.Select))
	for _, hop := range slices.Backward(f.Via) {
		condition = jen.Id(v + "." + hop.Select).Op("!=").Nil().Op("&&").Add(condition)
	}
	return condition
}

// notEmpty writes the condition that omitempty asks for: what omitzero does, and that
// lists have elements, and that structs have a field that is present.
func (r *renderer) notEmpty(t *Type, p place) *jen.Statement {
	switch {
	case t.HasZero:
	case t.Kind == Struct:
		some := jen.Null()
		for i, f := range t.Fields {
			if i > 0 {
				some.Op("||")
			}
			some.Add(r.isPresent(f, p.value))
		}
		return jen.Parens(some)
	case r.mayBeNil(t) && t.Kind != Pointer:
		return jen.Len(jen.Id(p.value)).Op("!=").Lit(0)
	}
	return r.notZero(t, p)
}

// notZero writes the condition that omitzero asks for: by the value's own IsZero, where
// it has one.
func (r *renderer) notZero(t *Type, p place) *jen.Statement {
	value := jen.Id(p.value)
	switch {
	case t.HasZero && r.mayBeNil(t):
		return jen.Add(value).Op("!=").Nil().Op("&&").Op("!").Add(value).Dot("IsZero").Call()
	case t.HasZero:
		return jen.Op("!").Add(value).Dot("IsZero").Call()
	case t.Kind == Time: // under a name that has not the methods
		return jen.Op("!").Qual("time", "Time").Parens(value).Dot("IsZero").Call()
	case r.mayBeNil(t):
		return value.Op("!=").Nil()
	case t.Kind == Bool, t.Zero == "false":
		return value
	case t.Kind == String, t.Zero == `""`:
		return value.Op("!=").Lit("")
	case t.ZeroTest:
		return jen.Id(notZeroName(t)).Call(jen.Id(p.address))
	case t.Kind == ByteArray, t.Kind == ByteEnumArray, t.Zero == "{}":
		return value.Op("!=").Parens(r.typ(t.Go).Values())
	default:
		return value.Op("!=").Lit(0)
	}
}

func (r *renderer) mayBeNil(t *Type) bool {
	switch t.Kind {
	case Pointer, Bytes, ByteEnums, Raw, Slice, Map:
		return true
	}
	return t.Zero == "nil"
}

func notZeroName(t *Type) string { return "stemNotZero" + t.Suffix }

// zeroTest writes the function that tells whether anything in a struct or an array is
// not zero, as far as it travels.
func (r *renderer) zeroTest(t *Type) {
	v, i := r.local("v"), r.local("i")
	fn := r.file.Func().Id(notZeroName(t)).Params(jen.Id(v).Op("*").Add(r.typ(t.Go))).Bool()
	if t.Kind == Array {
		fn.Block(
			jen.For(jen.Id(i).Op(":=").Range().Id(v)).Block(
				jen.If(r.notZero(t.Elem, at(v+"["+i+"]"))).Block(jen.Return(jen.True())),
			),
			jen.Return(jen.False()),
		)
		r.file.Line()
		return
	}
	some := jen.Null()
	for n, f := range t.Fields {
		if n > 0 {
			some.Op("||").Line()
		}
		if len(f.Via) > 0 {
			some.Id(v + "." + f.Via[0].Select).Op("!=").Nil()
		} else {
			some.Add(r.notZero(f.Type, at(v+"."+f.Select)))
		}
	}
	fn.Block(jen.Return(some))
	r.file.Line()
}
