package stemgen

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/tools/go/packages"
)

// The runtime that generated code stands on.
const (
	runtimePath = "github.com/gostem/gostem/stem"
	codecPath   = runtimePath + "/codec"
)

// slowLoad is when a load begins to look like a hang.
const slowLoad = 2 * time.Second

// The go command is asked twice. Types of dependencies come from export data, for
// which it compiles what it lists; the matched packages must not be among that: they
// have just been edited, are not needed compiled, and may be large.
const (
	sourceMode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
		packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedModule
	importMode = packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedExportFile | packages.NeedModule
)

// A program is everything that a run has loaded.
type program struct {
	fset    *token.FileSet
	sources []*source                    // packages with syntax, dependencies first
	byPath  map[string]*packages.Package // these, and what they import directly or not
	checked map[string]*types.Package    // sources as their importers see them, by path
	locks   *locks
}

// A source is a package as its author wrote it: without the file that stemgen
// writes.
type source struct {
	*packages.Package
	name  string // as its author's files say, which the generated file may say no more
	dir   string
	files []*ast.File
	asked bool // one of the patterns matched it
}

// load reads the packages that the patterns of cfg match, and the types that these
// import.
func load(ctx context.Context, cfg Config) (*program, error) {
	patterns := cfg.Patterns
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	for _, p := range patterns {
		if strings.HasSuffix(p, ".go") {
			return nil, fmt.Errorf("%s is a file; name its package, for instance as ./hello", p)
		}
	}
	prog := &program{
		fset:    token.NewFileSet(),
		byPath:  make(map[string]*packages.Package),
		checked: make(map[string]*types.Package),
	}
	pcfg := packages.Config{Context: ctx, Dir: cfg.Dir, Env: cfg.Env, Fset: prog.fset}
	if cfg.Tags != "" {
		pcfg.BuildFlags = []string{"-tags=" + cfg.Tags}
	}
	err := prog.loadSources(pcfg, patterns)
	if err == nil {
		stop := cfg.explainSlowness()
		err = prog.loadImports(pcfg)
		stop()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // what the go command says of being stopped helps nobody
	}
	if err != nil {
		message := err.Error()
		if _, said, found := strings.Cut(message, "stderr: "); found {
			message = said
		}
		return nil, errors.New(strings.TrimSpace(message))
	}
	return prog, nil
}

// explainSlowness says what is happening if that takes long. Its result ends it.
func (cfg Config) explainSlowness() (stop func()) {
	if cfg.Logf == nil {
		return func() {}
	}
	loaded := make(chan struct{})
	var explaining sync.WaitGroup
	explaining.Go(func() {
		select {
		case <-loaded:
		case <-time.After(slowLoad):
			cfg.Logf("the go command is compiling dependencies; with a cold build cache this takes a while")
		}
	})
	return func() {
		close(loaded)
		explaining.Wait()
	}
}

// loadSources reads the packages that the patterns match. Under -trimpath the build cache
// would give what cgo has made of the same file in another checkout, with that one's path
// in it.
func (prog *program) loadSources(cfg packages.Config, patterns []string) error {
	cfg.Mode, cfg.ParseFile = sourceMode, parseSource
	cfg.BuildFlags = append(slices.Clip(cfg.BuildFlags), "-trimpath=false")
	roots, err := packages.Load(&cfg, patterns...)
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return fmt.Errorf("no packages match %s in this module\n\tname packages of the module that stemgen is run in, with ./... for all", strings.Join(patterns, " "))
	}
	packages.Visit(roots, nil, func(pkg *packages.Package) {
		if asked := slices.Contains(roots, pkg); asked || len(pkg.Syntax) > 0 {
			prog.sources = append(prog.sources, prog.newSource(pkg, asked))
		}
	})
	return nil
}

func (prog *program) newSource(pkg *packages.Package, asked bool) *source {
	src := &source{Package: pkg, name: pkg.Name, dir: pkg.Dir, asked: asked}
	for _, file := range pkg.Syntax {
		if !isGenerated(prog.fset, file) {
			src.files = append(src.files, file)
		}
	}
	if i := slices.IndexFunc(src.files, saysPackage); i >= 0 {
		src.name = src.files[i].Name.Name
	}
	return src
}

// source gives the source of a path, or nil.
func (prog *program) source(path string) *source {
	i := slices.IndexFunc(prog.sources, func(src *source) bool { return src.PkgPath == path })
	if i < 0 {
		return nil
	}
	return prog.sources[i]
}

// loadImports reads the types of what the sources import, and of what generated code
// does: the package may not import that yet.
func (prog *program) loadImports(cfg packages.Config) error {
	paths := make(map[string]bool)
	for _, path := range ownImports {
		paths[path] = true
	}
	for _, src := range prog.sources {
		for _, imported := range src.Imports {
			if len(imported.GoFiles) > 0 {
				paths[imported.PkgPath] = true
			}
		}
	}
	for _, src := range prog.sources {
		delete(paths, src.PkgPath)
	}
	cfg.Mode, cfg.ParseFile = importMode, parseDeclarations
	roots, err := packages.Load(&cfg, slices.Sorted(maps.Keys(paths))...)
	if err == nil && len(roots) == 0 {
		// Where it builds export data the go command finds fault in silence, because a
		// package that does not compile is no failure then.
		cfg.Mode = packages.NeedName | packages.NeedImports | packages.NeedDeps
		_, err = packages.Load(&cfg, runtimePath)
	}
	packages.Visit(roots, nil, func(pkg *packages.Package) { prog.byPath[pkg.PkgPath] = pkg })
	for _, src := range prog.sources {
		prog.byPath[src.PkgPath] = src.Package
	}
	return err
}

// saysPackage tells whether a file has a package clause that could be read.
func saysPackage(file *ast.File) bool { return file.Name != nil && file.Name.Name != "" }

// isGenerated tells whether a file is one that stemgen wrote.
func isGenerated(fset *token.FileSet, file *ast.File) bool {
	if filepath.Base(fset.File(file.FileStart).Name()) != GeneratedName {
		return false
	}
	return len(file.Comments) > 0 && strings.HasPrefix(file.Comments[0].List[0].Text, headerLine)
}

// parseSource parses a file of a package that may have tasks. Of what stemgen wrote
// the package clause is enough, or not even that, for it will be written again.
func parseSource(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
	if filepath.Base(name) != GeneratedName || !isOurs(src) {
		return parseDeclarations(fset, name, src)
	}
	file, err := parser.ParseFile(fset, name, src, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil || !isGenerated(fset, file) {
		return parser.ParseFile(fset, name, headerLine+"\n\npackage ruined", parser.ParseComments)
	}
	return file, nil
}

// parseDeclarations parses a file and empties the bodies of its functions: what they
// call may not be generated yet.
func parseDeclarations(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution|parser.AllErrors)
	if file == nil {
		return nil, err
	}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			fn.Body.List = nil
		}
	}
	return file, err
}

// generatedPath is where the generated file of the package stands.
func (src *source) generatedPath() string { return filepath.Join(src.dir, GeneratedName) }

// readGenerated gives the generated file as it stands on disk, or nil.
func (src *source) readGenerated() ([]byte, error) {
	have, err := os.ReadFile(src.generatedPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return have, err
}

// writable tells whether stemgen may write into the package: it belongs to the main
// module or to the workspace.
func (src *source) writable() bool { return src.Module != nil && src.Module.Main }

// onlyGenerated tells whether the file that stemgen wrote is all that is left of the
// package.
func (src *source) onlyGenerated(have []byte) bool {
	if len(src.files) > 0 || have == nil || !isOurs(have) {
		return false
	}
	return len(src.GoFiles) > 0 && !slices.ContainsFunc(src.GoFiles, func(name string) bool { return name != src.generatedPath() })
}
