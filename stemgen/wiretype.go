package stemgen

import (
	"fmt"
	"go/types"
	"strings"
)

// wire finds out how values of a type travel. Where they cannot, it has reported why.
func (b *builder) wire(t types.Type, at trail) *Type {
	if alias, ok := t.(*types.Alias); ok && isInvalid(t) && alias.Obj().Pkg() == b.view.pkg {
		pos := alias.Obj().Pos() // what is wrong is wrong there, for all who use it
		at = trail{pos: b.position(pos), path: alias.Obj().Name(), from: pos, to: b.lineEnd(pos)}
	}
	t = types.Unalias(t)
	key := types.TypeString(t, nil)
	if known := b.types[key]; known != nil {
		return known
	}
	before := b.rep.errors
	w := &Type{Go: b.goType(t, at)}
	if b.rep.errors > before {
		return w // nobody asks how what cannot be named would travel
	}
	n, named := t.(*types.Named)
	if named {
		b.remember(key, w) // before its parts, which may lead back to it
		b.named = append(b.named, n)
		w.Doc, w.Constants = b.comments[n.Obj().Pos()], b.constants[n.Obj()]
	}
	listed := len(b.model.Types)
	b.model.Types = append(b.model.Types, w)
	b.classify(w, t, at)
	if !w.OwnFunctions() {
		b.model.Types = append(b.model.Types[:listed], b.model.Types[listed+1:]...)
	}
	// What is wrong with a type without a name is reported at each place where it stands.
	if !named && b.rep.errors == before {
		b.remember(key, w)
	}
	return w
}

func (b *builder) remember(key string, w *Type) {
	b.types[key] = w
	b.met = append(b.met, key)
}

// classify chooses the kind: the rules for single types first, then the type's own
// marshalers, then what it is made of.
func (b *builder) classify(w *Type, t types.Type, at trail) {
	switch {
	case isInvalid(t):
		b.unresolvedAt(at)
		return
	case isNamed(t, "time", "Time"):
		w.Kind, w.HasZero = Time, true
		return
	case isNamed(t, "time", "Duration"):
		w.Kind = Duration
		return
	case isNamed(t, msgpackPath, "RawMessage"), isNamed(t, codecPath, "Raw"):
		w.Kind = Raw
		return
	}
	named, _ := t.(*types.Named)
	if named != nil {
		if nesting(named) > deepestNesting {
			b.refuse(at, "carry a type that is not generic", "%s, which instantiates itself without end", named.Obj().Name())
			return
		}
		w.HasZero = hasIsZero(named)
		if b.marshaler(w, named, at) {
			return
		}
	}
	w.Defined = named != nil
	switch u := t.Underlying().(type) {
	case *types.Basic:
		b.basic(w, u, t, at)
	case *types.Pointer:
		w.Kind = Pointer
		if _, double := u.Elem().Underlying().(*types.Pointer); double {
			b.refuse(at, "point to the value itself", "%s, a pointer to a pointer: on the wire both are nil", b.short(t))
			return
		}
		w.Elem = b.wire(u.Elem(), at)
		if elem, ok := types.Unalias(u.Elem()).(*types.Named); ok && !w.HasZero {
			w.HasZero = hasIsZero(elem)
		}
	case *types.Slice:
		w.Kind, w.Elem = b.elements(u.Elem(), at, Slice, Bytes, ByteEnums)
	case *types.Array:
		w.Len = u.Len()
		w.Kind, w.Elem = b.elements(u.Elem(), at, Array, ByteArray, ByteEnumArray)
	case *types.Map:
		w.Kind, w.Key = Map, b.mapKey(u.Key(), at)
		at.path += "[value]"
		if holdsLock(u.Elem()) {
			b.refuse(at, "carry pointers as the values, or drop the lock", "%s, which holds a lock: the values of a map are copied", b.short(u.Elem()))
			return
		}
		w.Elem = b.wire(u.Elem(), at)
	case *types.Struct:
		if isTime(u) {
			w.Kind = Time
			return
		}
		w.Kind, w.Fields = Struct, b.fields(t, u, at)
	default:
		b.refuse(at, "carry a type that says what it holds", "%s, %s", b.short(t), manner(u))
	}
}

// elements finds out how the elements of a slice or an array travel. Bytes, and
// numbers of one byte under names of their own, go as one bin.
func (b *builder) elements(t types.Type, at trail, plain, bytes, enums Kind) (Kind, *Type) {
	if basic, ok := t.Underlying().(*types.Basic); ok && basic.Kind() == types.Uint8 {
		if _, named := types.Unalias(t).(*types.Named); named {
			return enums, nil
		}
		return bytes, nil
	}
	at.path += "[]"
	return plain, b.wire(t, at)
}

// deepestNesting is how deep the arguments of an instantiated type may lie within each
// other. The compiler refuses types that instantiate themselves, but not before we see
// them.
const deepestNesting = 20

// nesting tells how deep the type's arguments lie within each other.
func nesting(t types.Type) int {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		deepest := 0
		for arg := range t.TypeArgs().Types() {
			deepest = max(deepest, 1+nesting(arg))
		}
		return deepest
	case *types.Pointer:
		return 1 + nesting(t.Elem())
	case *types.Slice:
		return 1 + nesting(t.Elem())
	case *types.Array:
		return 1 + nesting(t.Elem())
	case *types.Map:
		return 1 + max(nesting(t.Key()), nesting(t.Elem()))
	}
	return 0
}

// isTime tells whether a struct is that of time.Time, under another name.
func isTime(s *types.Struct) bool {
	return s.NumFields() == 3 && s.Field(0).Name() == "wall" && s.Field(0).Pkg().Path() == "time"
}

var basicKinds = map[types.BasicKind]Kind{
	types.Bool: Bool,
	types.Int:  Int, types.Int8: Int8, types.Int16: Int16, types.Int32: Int32, types.Int64: Int64,
	types.Uint: Uint, types.Uint8: Uint8, types.Uint16: Uint16, types.Uint32: Uint32, types.Uint64: Uint64,
	types.Float32: Float32, types.Float64: Float64,
	types.String: String,
}

func (b *builder) basic(w *Type, basic *types.Basic, t types.Type, at trail) {
	kind, ok := basicKinds[basic.Kind()]
	if !ok {
		b.refuse(at, "carry a number, a string or a struct of them", "%s, %s", b.short(t), manner(basic))
		return
	}
	w.Kind = kind
}

// manner says in a few words why a type cannot travel.
func manner(t types.Type) string {
	switch t := t.(type) {
	case *types.Interface:
		return "an interface: the reader would not know what to make of the bytes"
	case *types.Chan:
		return "a channel, which lives in one process"
	case *types.Signature:
		return "a function, which lives in one process"
	case *types.Basic:
		switch {
		case t.Kind() == types.UnsafePointer || t.Kind() == types.Uintptr:
			return "an address, which lives in one process"
		case t.Info()&types.IsComplex != 0:
			return "a complex number, which MessagePack does not know"
		}
	}
	return "which MessagePack does not know"
}

func (b *builder) refuse(at trail, fix, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if reason, itself := strings.CutPrefix(what, at.path+", a"); itself { // the path is the type: it need not be named twice
		what = "a" + reason
	}
	b.rep.errorf(at.pos, CodeUnsupportedType, fix, "%s cannot travel: it is %s", at.path, what)
}

// mapKey finds out how the keys of a map travel.
func (b *builder) mapKey(t types.Type, at trail) *Type {
	at.path += "[key]"
	before := b.rep.errors
	w := b.wire(t, at)
	if b.rep.errors == before && !hasTextForm(t, w) && (w.Kind > String || w.Kind == Float32 || w.Kind == Float64) {
		b.rep.errorf(at.pos, CodeMapKey, "use string keys", "%s cannot travel: a key is a string, an int, a bool, or travels by MarshalText of its own; not %s", at.path, b.short(t))
	}
	return w
}

// hasTextForm tells whether keys of the type have a text of their own, as those of
// encoding/json must. They travel as the type does: a uuid.UUID has both forms, and is
// the same bytes wherever it stands.
func hasTextForm(t types.Type, w *Type) bool {
	named, _ := types.Unalias(t).(*types.Named)
	return named != nil && (w.Kind == Text || w.Kind == Binary && hasText(named))
}

// zeroOf gives the zero value of a type as code writes it; "{}" goes behind the
// type's name.
func zeroOf(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Slice, *types.Map:
		return "nil"
	case *types.Basic:
		switch {
		case u.Info()&types.IsString != 0:
			return `""`
		case u.Info()&types.IsBoolean != 0:
			return "false"
		default:
			return "0"
		}
	default:
		return "{}"
	}
}

// holdsLock tells whether a value holds something that must not be copied once it is in
// use, by the rule of go vet.
func holdsLock(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Array:
		return holdsLock(u.Elem())
	case *types.Struct:
		if named, ok := types.Unalias(t).(*types.Named); ok && ownMethod(named, "Lock") != nil && ownMethod(named, "Unlock") != nil {
			return true
		}
		for f := range u.Fields() {
			if holdsLock(f.Type()) {
				return true
			}
		}
	}
	return false
}
