package stemgen

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"slices"

	"golang.org/x/tools/go/gcexportdata"
	"golang.org/x/tools/go/packages"
)

// A view is a package as the type checker sees it.
type view struct {
	pkg  *types.Package
	defs map[*ast.Ident]types.Object
	errs []types.Error
}

// check type-checks the package's own files, and more where given, in memory. The
// errors of code that no task touches are many and do not matter: bodies are empty,
// and what was generated is missing. What is defined where goes into defs, if there is
// a map.
func (prog *program) check(src *source, defs map[*ast.Ident]types.Object, more ...*ast.File) *view {
	v := &view{pkg: types.NewPackage(src.PkgPath, src.name), defs: defs}
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
	_ = types.NewChecker(cfg, prog.fset, v.pkg, &types.Info{Defs: defs}).Files(files) // every error went to cfg.Error
	return v
}

// importFor resolves an import of the package, or one that only its generated file
// has.
func (prog *program) importFor(src *source, path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if imported := src.Imports[path]; imported != nil {
		path = imported.PkgPath
	}
	if other := prog.source(path); other != nil {
		return prog.asImported(other), nil
	}
	found := prog.byPath[path]
	if found == nil || found.Types == nil {
		return nil, fmt.Errorf("package %s is not among the dependencies", path)
	}
	if !found.Types.Complete() {
		return found.Types, prog.complete(found)
	}
	return found.Types, nil
}

// asImported gives a source as its importers see it: with what this run generates, or
// else with the file that stands on disk.
func (prog *program) asImported(src *source) *types.Package {
	if prog.checked[src.PkgPath] == nil {
		var generated []*ast.File
		if have, err := src.readGenerated(); err == nil && have != nil && isOurs(have) {
			if file, err := parseDeclarations(prog.fset, src.generatedPath(), have); err == nil {
				generated = append(generated, file)
			}
		}
		prog.checked[src.PkgPath] = types.NewPackage(src.PkgPath, src.name) // for those that it imports in a circle
		prog.checked[src.PkgPath] = prog.check(src, nil, generated...).pkg
	}
	return prog.checked[src.PkgPath]
}

// complete reads the export data of a package that was only an import of an import: so
// far it holds just the types that the latter mentions.
func (prog *program) complete(pkg *packages.Package) error {
	file, err := os.Open(pkg.ExportFile)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := gcexportdata.NewReader(file)
	if err != nil {
		return err
	}
	known := make(map[string]*types.Package)
	for path, pkg := range prog.byPath {
		if pkg.Types != nil {
			known[path] = pkg.Types
		}
	}
	_, err = gcexportdata.Read(data, prog.fset, known, pkg.PkgPath)
	return err
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
