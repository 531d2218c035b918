package stemgen

import "go/types"

// msgpackPath is the library whose interfaces a type may have for its own encoding.
const msgpackPath = "github.com/vmihailenco/msgpack/v5"

// A form is a pair of methods by which a type says itself how it travels.
type form struct {
	kind           Kind
	encode, decode string
	// What the two take and give. Empty where no wrong signature is reported: names such
	// as MarshalText are other libraries' too.
	encodeWant, decodeWant string
	isEncode, isDecode     func(*types.Signature) bool
}

// forms are the pairs in the order in which they count, which is that of
// vmihailenco/msgpack.
var forms = []form{
	{
		Custom, "EncodeMsgpack", "DecodeMsgpack", "(*msgpack.Encoder) error", "(*msgpack.Decoder) error",
		takesOnly("Encoder"), takesOnly("Decoder"),
	},
	{Msgpack, "MarshalMsgpack", "UnmarshalMsgpack", "() ([]byte, error)", "([]byte) error", isMarshal, isUnmarshal},
	{Binary, "MarshalBinary", "UnmarshalBinary", "", "", isMarshal, isUnmarshal},
	{Text, "MarshalText", "UnmarshalText", "", "", isMarshal, isUnmarshal},
}

// marshaler gives a type that says itself how it travels the kind of the form in which
// it does. A method that came with an embedded field does not count: it would drop the
// other fields.
func (b *builder) marshaler(w *Type, t *types.Named, at trail) bool {
	if types.IsInterface(t) {
		return false
	}
	if ownMethod(t, "ProtoReflect") != nil {
		b.refuse(at, "carry the encoded message as []byte", "%s, a protobuf message", b.short(t))
		return true
	}
	wrong := false
	var has, lacks string
	for _, f := range forms {
		encodes := b.speaks(t, f.encode, f.encodeWant, f.isEncode, at, &wrong)
		decodes := b.speaks(t, f.decode, f.decodeWant, f.isDecode, at, &wrong)
		switch {
		case wrong:
			return true
		case encodes && decodes:
			w.Kind, w.Zero, w.Comparable = f.kind, zeroOf(t), types.Comparable(t)
			w.HasAppend = hasAppend(t, f.kind)
			return true
		case encodes && has == "":
			has, lacks = f.encode, f.decode
		case decodes && has == "":
			has, lacks = f.decode, f.encode
		}
	}
	if has == "" {
		return false
	}
	b.rep.errorf(at.pos, CodeHalfMarshaler, "write both methods or neither", "%s cannot travel: %s has %s and no %s", at.path, b.short(t), has, lacks)
	return true
}

// speaks tells whether the type has a method of its own with the right signature. A
// wrong one is reported where nobody else could mean the name.
func (b *builder) speaks(t *types.Named, method, want string, right func(*types.Signature) bool, at trail, wrong *bool) bool {
	fn := ownMethod(t, method)
	switch {
	case fn == nil:
		return false
	case right(fn.Signature()):
		return true
	case want != "":
		b.rep.errorf(at.pos, CodeHalfMarshaler, "write it as func "+method+want+", with the types of "+msgpackPath,
			"%s cannot travel: the method %s of %s is not the one that MessagePack libraries call", at.path, method, b.short(t))
		*wrong = true
	}
	return false
}

// takesOnly gives the test for func(*msgpack.NAME) error.
func takesOnly(name string) func(*types.Signature) bool {
	return func(sig *types.Signature) bool {
		if sig.Params().Len() != 1 || !types.Identical(sig.Results(), tuple(errorType)) {
			return false
		}
		pointer, ok := sig.Params().At(0).Type().(*types.Pointer)
		return ok && isNamed(types.Unalias(pointer.Elem()), msgpackPath, name)
	}
}

func isMarshal(sig *types.Signature) bool   { return types.Identical(sig, marshalType) }
func isUnmarshal(sig *types.Signature) bool { return types.Identical(sig, unmarshalType) }

// hasAppend tells whether a type that marshals itself can do so into a given buffer,
// which Go has interfaces for since 1.24.
func hasAppend(t *types.Named, kind Kind) bool {
	if kind != Binary && kind != Text {
		return false
	}
	fn := ownMethod(t, "Append"+marshalForm(kind))
	return fn != nil && types.Identical(fn.Type(), appendType)
}

// hasText tells whether a type has MarshalText and UnmarshalText of its own.
func hasText(t *types.Named) bool {
	m, u := ownMethod(t, "MarshalText"), ownMethod(t, "UnmarshalText")
	return m != nil && isMarshal(m.Signature()) && u != nil && isUnmarshal(u.Signature())
}

var (
	bytesType     = types.NewSlice(types.Typ[types.Byte])
	errorType     = types.Universe.Lookup("error").Type()
	marshalType   = types.NewSignatureType(nil, nil, nil, nil, tuple(bytesType, errorType), false)
	unmarshalType = types.NewSignatureType(nil, nil, nil, tuple(bytesType), tuple(errorType), false)
	appendType    = types.NewSignatureType(nil, nil, nil, tuple(bytesType), tuple(bytesType, errorType), false)
)

func tuple(ts ...types.Type) *types.Tuple {
	vars := make([]*types.Var, len(ts))
	for i, t := range ts {
		vars[i] = types.NewParam(0, nil, "", t)
	}
	return types.NewTuple(vars...)
}

// ownMethod gives a method that the type or the pointer to it declares itself.
func ownMethod(t *types.Named, name string) *types.Func {
	obj, index, _ := types.LookupFieldOrMethod(types.NewPointer(t), true, t.Obj().Pkg(), name)
	if fn, ok := obj.(*types.Func); ok && len(index) == 1 {
		return fn
	}
	return nil
}

// hasIsZero tells whether values of the type say themselves whether they are zero. The
// method of an embedded field would speak for a part of it only.
func hasIsZero(t *types.Named) bool {
	fn := ownMethod(t, "IsZero")
	return fn != nil && fn.Signature().Params().Len() == 0 && types.Identical(fn.Signature().Results(), tuple(types.Typ[types.Bool]))
}
