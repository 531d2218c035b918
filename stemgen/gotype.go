package stemgen

import (
	"go/types"
	"strings"
)

// goType gives a type as the generated file can write it. What this package cannot
// name is reported.
func (b *builder) goType(t types.Type, at trail) GoType {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return b.namedType(t, at)
	case *types.Pointer:
		return GoType{Form: PointerForm, Elem: b.goTypeOf(t.Elem(), at)}
	case *types.Slice:
		return GoType{Form: SliceForm, Elem: b.goTypeOf(t.Elem(), at)}
	case *types.Array:
		return GoType{Form: ArrayForm, Len: t.Len(), Elem: b.goTypeOf(t.Elem(), at)}
	case *types.Map:
		return GoType{Form: MapForm, Key: b.goTypeOf(t.Key(), at), Elem: b.goTypeOf(t.Elem(), at)}
	case *types.Struct:
		return b.structType(t, at)
	case *types.Basic:
		return GoType{Form: NamedForm, Name: t.Name()}
	default:
		// Of types that cannot travel only those that appear as arguments of generic types
		// are ever written; any is the one that matters.
		return GoType{Form: NamedForm, Name: t.String()}
	}
}

func (b *builder) goTypeOf(t types.Type, at trail) *GoType {
	g := b.goType(t, at)
	return &g
}

func (b *builder) namedType(t *types.Named, at trail) GoType {
	obj := t.Obj()
	g := GoType{Form: NamedForm, Name: obj.Name()}
	if obj.Pkg() == nil { // error, any, comparable
		return g
	}
	g.Pkg, g.Base = obj.Pkg().Path(), obj.Pkg().Name()
	switch {
	case g.Pkg == b.src.PkgPath:
		if obj.Parent() != b.view.pkg.Scope() {
			b.unnameable(at, g, "it is declared inside a function")
		}
	case !obj.Exported():
		b.unnameable(at, g, "its package does not export it")
	case !mayImport(b.src.PkgPath, g.Pkg):
		b.unnameable(at, g, "its package is internal to another part of the tree")
	case g.Base == "main":
		b.unnameable(at, g, "a package main cannot be imported")
	}
	for arg := range t.TypeArgs().Types() {
		g.Args = append(g.Args, b.goType(arg, at))
	}
	return g
}

func (b *builder) unnameable(at trail, g GoType, reason string) {
	b.rep.errorf(at.pos, CodeUnnameable, "carry a type of your own with the same fields", "%s cannot travel: %s.%s cannot be written here, %s", at.path, g.Base, g.Name, reason)
}

// mayImport tells whether Go lets one package import another, as far as internal
// packages go.
func mayImport(from, path string) bool {
	i := strings.LastIndex("/"+path+"/", "/internal/")
	if i < 0 {
		return true
	}
	root := strings.TrimSuffix(("/" + path)[:i], "/")
	return root != "" && (from == root[1:] || strings.HasPrefix(from, root[1:]+"/"))
}

func (b *builder) structType(t *types.Struct, at trail) GoType {
	g := GoType{Form: StructForm}
	for i := range t.NumFields() {
		f := t.Field(i)
		if !f.Exported() && f.Pkg().Path() != b.src.PkgPath {
			b.rep.errorf(at.pos, CodeUnnameable, "carry a type of your own with the same fields",
				"%s cannot travel: its type is a struct without a name that has field %s of package %s", at.path, f.Name(), f.Pkg().Name())
			continue
		}
		g.Fields = append(g.Fields, GoField{Name: f.Name(), Type: b.goType(f.Type(), at), Embedded: f.Embedded(), Tag: t.Tag(i)})
	}
	return g
}
