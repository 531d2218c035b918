package stemgen

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
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

func isRuntime(path string) bool { return path == runtimePath || path == codecPath }

// slowLoad is when a load begins to look like a hang.
const slowLoad = 2 * time.Second

// loadMode asks for the syntax of the matched packages and for export data of all
// others. Without NeedDeps nothing else is parsed, which makes it 15 times faster.
const loadMode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
	packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedModule

// A program is everything that one load brought.
type program struct {
	fset    *token.FileSet
	sources []*source                    // packages with syntax, dependencies first
	byPath  map[string]*packages.Package // all packages
	checked map[string]*types.Package    // packages that were checked anew, which stand for those of the load
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

// load runs the go command once for the patterns of cfg.
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
	pcfg := &packages.Config{
		Context:   ctx,
		Mode:      loadMode,
		Dir:       cfg.Dir,
		Env:       cfg.Env,
		Fset:      prog.fset,
		ParseFile: parseFile,
	}
	if cfg.Tags != "" {
		pcfg.BuildFlags = []string{"-tags=" + cfg.Tags}
	}
	defer cfg.explainSlowness()()
	// A package may not import the runtime before its first generated file does, so the
	// runtime is asked for by name.
	roots, err := packages.Load(pcfg, append([]string{runtimePath, codecPath}, patterns...)...)
	if err == nil && !slices.ContainsFunc(roots, func(pkg *packages.Package) bool { return !isRuntime(pkg.PkgPath) }) {
		err = whyNothing(*pcfg, patterns)
	}
	if err != nil {
		message := err.Error()
		if _, said, found := strings.Cut(message, "stderr: "); found {
			message = said
		}
		return nil, errors.New(strings.TrimSpace(message))
	}
	prog.collect(roots)
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

// whyNothing asks the go command again. Where it builds export data it finds fault in
// silence, because a package that does not compile is no failure then.
func whyNothing(cfg packages.Config, patterns []string) error {
	cfg.Mode = packages.NeedName | packages.NeedImports | packages.NeedDeps
	for _, asked := range [][]string{patterns, {runtimePath}} {
		if _, err := packages.Load(&cfg, asked...); err != nil {
			return err
		}
	}
	return fmt.Errorf("no packages match %s in this module\n\tname packages of the module that stemgen is run in, with ./... for all", strings.Join(patterns, " "))
}

func (prog *program) collect(roots []*packages.Package) {
	asked := make(map[*packages.Package]bool)
	for _, root := range roots {
		asked[root] = true
	}
	packages.Visit(roots, nil, func(pkg *packages.Package) {
		prog.byPath[pkg.PkgPath] = pkg
		if len(pkg.Syntax) == 0 && !asked[pkg] {
			return
		}
		src := &source{Package: pkg, name: pkg.Name, dir: pkg.Dir, asked: asked[pkg]}
		for _, file := range pkg.Syntax {
			if !src.asked || !isGenerated(prog.fset, file) {
				src.files = append(src.files, file)
			}
		}
		if i := slices.IndexFunc(src.files, saysPackage); i >= 0 {
			src.name = src.files[i].Name.Name
		}
		prog.sources = append(prog.sources, src)
	})
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

// parseFile parses what is needed and no more. Bodies of functions are emptied: what
// they call may not be generated yet. Of a generated file that does not parse, the
// package clause is enough, or not even that, for it will be written again.
func parseFile(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
	const mode = parser.ParseComments | parser.SkipObjectResolution | parser.AllErrors
	file, err := parser.ParseFile(fset, name, src, mode)
	if err != nil && filepath.Base(name) == GeneratedName && isOurs(src) {
		file, err = parser.ParseFile(fset, name, src, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil || !isGenerated(fset, file) {
			return parser.ParseFile(fset, name, headerLine+"\n\npackage ruined", parser.ParseComments)
		}
		return file, nil
	}
	if file != nil {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				fn.Body.List = nil
			}
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
