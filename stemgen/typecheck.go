package stemgen

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// A view is a package as the type checker sees it.
type view struct {
	pkg  *types.Package
	defs map[*ast.Ident]types.Object
	errs []types.Error
}

// check type-checks the package's own files, and more where given, in memory. The
// errors of code that no task touches are many and do not matter: bodies are empty,
// and what was generated is missing.
func (prog *program) check(src *source, more ...*ast.File) *view {
	v := &view{
		pkg:  types.NewPackage(src.PkgPath, src.name),
		defs: make(map[*ast.Ident]types.Object),
	}
	cfg := &types.Config{
		Importer: importerFunc(func(path string) (*types.Package, error) { return prog.importFor(src, path) }),
		Sizes:    src.TypesSizes,
		Error: func(err error) {
			if err, ok := err.(types.Error); ok {
				v.errs = append(v.errs, err)
			}
		},
	}
	if src.Module != nil && src.Module.GoVersion != "" {
		cfg.GoVersion = "go" + src.Module.GoVersion
	}
	files := append(slices.Clip(src.files), more...)
	_ = types.NewChecker(cfg, prog.fset, v.pkg, &types.Info{Defs: v.defs}).Files(files) // every error went to cfg.Error
	return v
}

// recheck checks again a package without tasks that imports, directly or not, one
// that has been checked anew: the two must agree on the identity of types.
func (prog *program) recheck(src *source) {
	for _, imported := range src.Imports {
		if prog.checked[imported.PkgPath] != nil {
			prog.checked[src.PkgPath] = prog.check(src).pkg
			return
		}
	}
}

// importFor resolves an import of the package, or one that only its generated file
// has.
func (prog *program) importFor(src *source, path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	found := src.Imports[path]
	if found == nil {
		found = prog.byPath[path]
	}
	if found == nil || found.Types == nil {
		return nil, fmt.Errorf("package %s is not among the dependencies", path)
	}
	if anew := prog.checked[found.PkgPath]; anew != nil {
		return anew, nil
	}
	// A package that is only an import of an import holds just the types that the latter
	// mentions. Generated code mentions no others.
	if !found.Types.Complete() {
		found.Types.MarkComplete()
	}
	return found.Types, nil
}

// An importerFunc is a function as a types.Importer.
type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// errorWithin gives the first error between two places of a file.
func (v *view) errorWithin(from, to token.Pos) (types.Error, bool) {
	i := slices.IndexFunc(v.errs, func(err types.Error) bool { return from <= err.Pos && err.Pos <= to })
	if i < 0 {
		return types.Error{}, false
	}
	return v.errs[i], true
}
