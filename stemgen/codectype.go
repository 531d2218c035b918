package stemgen

import "go/types"

// codecMethod is the method that a type with //stem:codec gets: package codec finds the
// codec by it.
const codecMethod = "MsgpackCodec"

// codecType adds a type that bears //stem:codec to the model.
func (b *builder) codecType(m marked) {
	name := m.spec.Name
	obj, ok := b.view.defs[name].(*types.TypeName)
	switch {
	case name.Name == "_":
		b.rep.errorf(b.position(name.Pos()), CodeReserved, "give the type a name", "type _ cannot be referred to")
	case !ok:
		b.rep.errorf(b.position(name.Pos()), CodeNameTaken, "rename or remove one of them", "type %s is declared twice", name.Name)
	case b.canHaveCodec(m, obj.Type()):
		b.model.Codecs = append(b.model.Codecs, b.wire(obj.Type(), b.trailOf(name, name.Name)))
	}
}

// canHaveCodec refuses types that can have no method of ours.
func (b *builder) canHaveCodec(m marked, t types.Type) bool {
	pos, name := b.position(m.spec.Name.Pos()), m.spec.Name.Name
	if isInvalid(t.Underlying()) {
		b.unresolved(m.spec.Type.Pos(), m.spec.Type.End(), name)
		return false
	}
	if m.spec.Assign.IsValid() {
		of := b.short(types.Unalias(t))
		b.rep.errorf(pos, CodeMisplacedDirective, "put the directive above that type, or declare a new one: type "+name+" "+of, "a directive on type %s, which is another name of %s", name, of)
		return false
	}
	if params := m.spec.TypeParams; params != nil {
		b.rep.errorf(b.position(params.Pos()), CodeGeneric, "declare a type for each instance that travels, as in type Users struct{ Page[User] }", "type %s is generic: a codec is of one type", name)
		return false
	}
	const fix = "declare a struct that holds it"
	switch t.Underlying().(type) {
	case *types.Interface:
		b.rep.errorf(pos, CodeUnsupportedType, fix, "%s cannot have a codec: the reader of an interface would not know what to make of the bytes", name)
		return false
	case *types.Pointer:
		b.rep.errorf(pos, CodeUnsupportedType, fix, "%s cannot have a codec: Go lets a pointer have no methods", name)
		return false
	}
	if other, index, _ := types.LookupFieldOrMethod(types.NewPointer(t), true, b.view.pkg, codecMethod); other != nil && len(index) == 1 {
		b.rep.errorf(pos, CodeNameTaken, "rename that, or drop the directive", "type %s is to have a method %s, but has something of that name", name, codecMethod).
			see(b.position(other.Pos()), name+"."+codecMethod+" is declared here")
		return false
	}
	return true
}
