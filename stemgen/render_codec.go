package stemgen

import (
	"strings"

	"github.com/dave/jennifer/jen"
)

// codecs writes the codec of each type that is the args or the result of a task, or bears
// //stem:codec, then the functions that these lead to.
func (r *renderer) codecs() {
	for _, t := range r.model.withCodec() {
		r.codec(t)
	}
	for _, t := range r.model.Codecs {
		r.codecMethod(t)
	}
	for _, t := range r.model.Types {
		r.appendFunc(t)
		r.readFunc(t)
		if t.ZeroTest {
			r.zeroTest(t)
		}
	}
}

// codecName gives the variable that holds a type's codec.
func codecName(t *Type) string  { return "stemCodec" + t.Suffix }
func appendName(t *Type) string { return "stemAppend" + t.Suffix }
func readName(t *Type) string   { return "stemRead" + t.Suffix }

// codec writes the variable that a definition is given.
func (r *renderer) codec(t *Type) {
	r.comment("%s is the codec of %s.", codecName(t), carried(t.Go))
	r.file.Var().Id(codecName(t)).Op("=").Qual(codecPath, "Codec").Types(r.typ(t.Go)).Add(
		lines("{", "}", field("Append", r.codecAppend(t)), field("Read", r.codecRead(t))),
	)
	r.file.Line()
}

// codecMethod writes the method by which codec.For finds a type's codec.
func (r *renderer) codecMethod(t *Type) {
	r.comment("%s gives the codec of %s to %s.For.", codecMethod, t.Go.Name, r.imports[codecPath])
	r.file.Func().Params(jen.Op("*").Add(r.typ(t.Go))).Id(codecMethod).Params().Qual(codecPath, "Codec").Types(r.typ(t.Go)).Block(
		jen.Return(jen.Id(codecName(t))),
	)
	r.file.Line()
}

// codecAppend writes how the codec appends. A value of unknown size that is to go into
// a buffer of its own is encoded on the stack first.
func (r *renderer) codecAppend(t *Type) *jen.Statement {
	b, v, err := r.local("b"), r.local("v"), r.local("err")
	p := place{value: "*" + v, address: v}
	fn := jen.Func().Params(r.byteParam(), jen.Id(v).Op("*").Add(r.typ(t.Go))).Params(jen.Index().Byte(), jen.Error())
	if t.Kind == Pointer {
		var body []jen.Code
		if t.Inner().Fallible {
			body = append(body, jen.Var().Id(err).Error())
		}
		body = append(body, r.appendValue(t, p, scope{depth: "1"})...)
		return fn.Block(append(body, jen.Return(jen.Id(b), jen.Nil()))...)
	}
	if !t.OwnFunctions() {
		return fn.Block(jen.Return(r.appended(t, b, p), jen.Nil()))
	}
	scratch, enc := r.local("scratch"), r.local("enc")
	toScratch := func(code ...jen.Code) jen.Code {
		return jen.If(jen.Id(b).Op("==").Nil()).BlockFunc(func(g *jen.Group) {
			g.Comment("Encode on the stack, so that the buffer is made once and fits.")
			g.Var().Id(scratch).Index(jen.Lit(1024)).Byte()
			for _, c := range code {
				g.Add(c)
			}
		})
	}
	joined := jen.Append(jen.Id(b), jen.Id(enc).Op("..."))
	if t.Fallible {
		return fn.Block(
			toScratch(
				jen.List(jen.Id(enc), jen.Id(err)).Op(":=").Add(r.callAppend(t, scratch+"[:0]", p, "1")),
				jen.Return(joined, jen.Id(err)),
			),
			jen.Return(r.callAppend(t, b, p, "1")),
		)
	}
	return fn.Block(
		toScratch(jen.Return(jen.Append(jen.Id(b), r.callAppend(t, scratch+"[:0]", p, "").Op("...")), jen.Nil())),
		jen.Return(r.callAppend(t, b, p, ""), jen.Nil()),
	)
}

func (r *renderer) codecRead(t *Type) *jen.Statement {
	if t.OwnFunctions() {
		return jen.Id(readName(t))
	}
	v := r.local("v")
	return jen.Func().Params(r.readerParam(), jen.Id(v).Op("*").Add(r.typ(t.Go))).Block(
		r.readValue(t, place{value: "*" + v, address: v})...,
	)
}

// byPointer tells whether the function that appends values of the type takes a
// pointer: a slice or a map is one already.
func byPointer(t *Type) bool {
	switch t.Kind {
	case Text, Binary, Custom, Msgpack, Struct, Array:
		return true
	}
	return false
}

func (r *renderer) byteParam() *jen.Statement { return r.id("b").Index().Byte() }

func (r *renderer) readerParam() *jen.Statement {
	return r.id("r").Op("*").Qual(codecPath, "Reader")
}

func (r *renderer) call(name string, args ...jen.Code) *jen.Statement {
	return jen.Qual(codecPath, name).Call(args...)
}

// A place is a value as code writes it, and its address.
type place struct{ value, address string }

func at(expr string) place { return place{value: expr, address: "&" + expr} }

// bytes writes the place, an array of bytes, as a slice.
func (p place) bytes() *jen.Statement {
	array := strings.TrimPrefix(p.value, "*") // a pointer to an array is as good
	if strings.HasPrefix(array, "*") {
		array = "(" + array + ")"
	}
	return jen.Id(array + "[:]")
}

// converted writes the place as its underlying type.
func (p place) converted(t *Type, to *jen.Statement) *jen.Statement {
	if !t.Defined {
		return jen.Id(p.value)
	}
	return to.Parens(jen.Id(p.value))
}

// A scalar is how the runtime appends and reads a kind.
type scalar struct {
	append, takes string // what it appends with, and the type which that takes
	read, gives   string
}

var scalars = map[Kind]scalar{
	Bool:    {"AppendBool", "bool", "Bool", "bool"},
	Int:     {"AppendInt", "int64", "Int", "int"},
	Int8:    {"AppendInt", "int64", "Int8", "int8"},
	Int16:   {"AppendInt", "int64", "Int16", "int16"},
	Int32:   {"AppendInt", "int64", "Int32", "int32"},
	Int64:   {"AppendInt", "int64", "Int64", "int64"},
	Uint:    {"AppendUint", "uint64", "Uint", "uint"},
	Uint8:   {"AppendUint", "uint64", "Uint8", "uint8"},
	Uint16:  {"AppendUint", "uint64", "Uint16", "uint16"},
	Uint32:  {"AppendUint", "uint64", "Uint32", "uint32"},
	Uint64:  {"AppendUint", "uint64", "Uint64", "uint64"},
	Float32: {"AppendFloat32", "float32", "Float32", "float32"},
	Float64: {"AppendFloat64", "float64", "Float64", "float64"},
	String:  {"AppendString", "string", "Str", "string"},
}

// carried names a type for a comment.
func carried(g GoType) string {
	switch g.Form {
	case PointerForm:
		return "pointers to " + carried(*g.Elem)
	case SliceForm:
		return "slices of " + carried(*g.Elem)
	case ArrayForm:
		return "arrays of " + carried(*g.Elem)
	case MapForm:
		return "maps from " + carried(*g.Key) + " to " + carried(*g.Elem)
	case StructForm:
		return "a struct"
	}
	return g.Name
}
