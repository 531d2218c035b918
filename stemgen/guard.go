package stemgen

import (
	"go/ast"
	"go/parser"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// A Guard is a named type that the generated file takes apart, and what it was made of
// when that was written.
type Guard struct {
	Type, Underlying GoType
}

// guards has the generated file hold on to what types are made of. Types of other modules
// are left out: who builds with a later version of one could not generate again. So are
// those that differ from build to build, those that cannot be written down, and those
// that speak for themselves, whatever they are made of.
func (b *builder) guards() {
	silent := *b
	seen := make(map[string]bool)
	for _, t := range b.named {
		key := types.TypeString(t, nil)
		w := b.types[key]
		if seen[key] {
			continue
		}
		seen[key] = true
		if w != nil && w.Marshals() || !b.ofThisModule(t.Obj().Pkg()) || !b.spellable(t.Underlying()) || b.differsByBuild(t.Obj()) {
			continue
		}
		silent.rep = new(report)
		g := Guard{silent.goType(t, trail{}), silent.goType(t.Underlying(), trail{})}
		for i := range g.Underlying.Fields {
			g.Underlying.Fields[i].Tag = "" // the conversion of a guard does not heed it
		}
		if silent.rep.errors == 0 {
			b.model.Guards = append(b.model.Guards, g)
		}
	}
}

// ofThisModule tells whether a package is of the module that is generated for.
func (b *builder) ofThisModule(pkg *types.Package) bool {
	if pkg == b.view.pkg {
		return true
	}
	found := b.prog.byPath[pkg.Path()]
	return found != nil && found.Module != nil && b.src.Module != nil && found.Module.Path == b.src.Module.Path
}

// spellable tells whether the generated file can write a type such that it is the same
// type there.
func (b *builder) spellable(t types.Type) bool {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		if t.Obj().Pkg() == nil { // error
			return !b.hidesUniverse(t.Obj().Name())
		}
		for arg := range t.TypeArgs().Types() {
			if !b.spellable(arg) {
				return false
			}
		}
		return true
	case *types.Basic:
		return !b.hidesUniverse(t.Name()) && t.Kind() != types.Invalid && t.Kind() != types.UnsafePointer
	case *types.Pointer:
		return b.spellable(t.Elem())
	case *types.Slice:
		return b.spellable(t.Elem())
	case *types.Array:
		return b.spellable(t.Elem())
	case *types.Map:
		return b.spellable(t.Key()) && b.spellable(t.Elem())
	case *types.Struct:
		for f := range t.Fields() {
			if !b.spellableField(f) {
				return false
			}
		}
		return true
	}
	return false
}

func (b *builder) hidesUniverse(name string) bool {
	_, taken := b.model.Taken[name]
	return taken
}

// spellableField leaves out fields that only their own package can name, what cgo
// declares, and what is embedded under another name than its type's.
func (b *builder) spellableField(f *types.Var) bool {
	if !f.Exported() && f.Pkg() != b.view.pkg || !b.spellable(f.Type()) || strings.Contains(b.short(f.Type()), "_Ctype_") {
		return false
	}
	if !f.Embedded() {
		return true
	}
	t := types.Unalias(f.Type())
	if pointer, ok := t.(*types.Pointer); ok {
		t = types.Unalias(pointer.Elem())
	}
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() == f.Name()
}

// differsByBuild tells whether the file that declares a type is compiled in some builds
// only, so that others may have another type of that name.
func (b *builder) differsByBuild(obj types.Object) bool {
	name := b.position(obj.Pos()).Filename
	differs, known := b.constrained[name]
	if !known {
		file := b.fileOf(obj, name)
		differs = filepath.Base(name) != GeneratedName && (file == nil || constraintOf(b.prog.fset, file) != "")
		b.constrained[name] = differs
	}
	return differs
}

// fileOf gives the file of a name, as far as its package clause at least, or nil.
func (b *builder) fileOf(obj types.Object, name string) *ast.File {
	for _, file := range b.src.files {
		if b.position(file.Package).Filename == name {
			return file
		}
	}
	found := b.prog.byPath[obj.Pkg().Path()]
	if found == nil {
		return nil
	}
	// With -trimpath the position of another package's type begins with its import path.
	i := slices.IndexFunc(found.GoFiles, func(path string) bool { return filepath.Base(path) == filepath.Base(name) })
	if i < 0 {
		return nil
	}
	file, err := parser.ParseFile(b.prog.fset, found.GoFiles[i], nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return nil
	}
	return file
}
