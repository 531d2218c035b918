package gostem_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/gostem/gostem"

// rule says what the non-test files of a package may import beyond the standard
// library. Paths of this module are written without the module's own path.
type rule struct {
	local   []string // packages of this module, or anything
	modules []string // other modules, or packages of them, with all below them
	never   []string // packages of the standard library that are refused, with all below them
}

// importRules has a rule for every package. A key that ends in /... is for
// the packages below it that have no rule of their own. Packages that are
// planned and do not exist yet have theirs already, so that whoever adds one finds it.
var importRules = map[string]rule{
	"stem/codec": {},
	"stem":       {local: []string{"stem/codec"}, never: []string{"net", "database/sql"}},

	// The reflection codec stands apart, so that nobody links msgpack who does not ask for it.
	"stem/reflectcodec": {local: []string{"stem/codec"}, modules: []string{"github.com/vmihailenco/msgpack/v5"}},

	// Features stand beside each other and know none of their neighbours.
	"stem/limit":    {local: core},
	"stem/beat":     {local: core},
	"stem/canvas":   {local: core},
	"stem/workflow": {local: core},

	// What an operator sees and does.
	"stem/ops":       {local: concat(core, features, "internal/nearest"), never: []string{"net/http"}},
	"stem/health":    {local: []string{"stem"}},
	"stem/dashboard": {local: []string{"stem", "stem/ops"}},
	"stem/cli": {
		local:   []string{"stem", "stem/codec", "stem/limit", "stem/ops", "adapters", "internal/nearest"},
		modules: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/goccy/go-yaml", "golang.org/x/term"},
	},
	// The interfaces of OpenTelemetry; its SDK and exporters are for programs to choose.
	"stem/stemotel": {local: []string{"stem"}, modules: []string{
		"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/metric",
		"go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/trace",
	}},
	"stem/stemprom": {local: []string{"stem"}, modules: []string{"github.com/prometheus/client_golang"}},
	"stem/stemtest": {local: concat(core, features, "adapters/memory")},

	// Adapters know the contracts and their own client library, never each other.
	"adapters":             {local: []string{"stem", "stem/limit", "internal/nearest", "adapters/memory", "adapters/redis", "adapters/postgres", "adapters/sqlite"}},
	"adapters/adaptertest": {local: adapter, modules: []string{"github.com/google/go-cmp", "pgregory.net/rapid"}},
	"adapters/memory":      {local: adapter},
	"adapters/redis":       {local: concat(adapter, []string{"internal/certadvice"}), modules: []string{"github.com/redis/go-redis/v9", "github.com/cenkalti/backoff/v5"}},
	"adapters/postgres":    {local: concat(adapter, []string{"internal/certadvice"}), modules: []string{"github.com/jackc/pgx/v5", "github.com/cenkalti/backoff/v5"}},
	"adapters/sqlite":      {local: adapter, modules: []string{"modernc.org/sqlite"}},

	// The generator knows the runtime as an import path in what it writes, no more.
	"stemgen": {local: []string{"internal/nearest"}, modules: []string{"golang.org/x/tools", "github.com/dave/jennifer"}},

	// What tests stand on knows nothing of what they test.
	"internal/testredis":    {local: []string{"internal/freeport", "internal/testcert", "internal/testprocess"}},
	"internal/testpostgres": {local: []string{"internal/freeport", "internal/testcert", "internal/testprocess"}, modules: []string{"github.com/jackc/pgx/v5/pgconn"}},
	"internal/faultnet":     {local: []string{"internal/freeport"}},
	"internal/crashworker":  {local: []string{"internal/testprocess"}},
	"internal/txmemory":     {local: []string{"stem", "adapters/memory"}}, // a store that tests stand on
	"internal/faultsite":    {local: concat(core, []string{"stem/limit", "internal/crashworker", "internal/faultnet", "internal/ledger"})},
	"internal/chaos":        {local: []string{"internal/faultsite"}}, // it reads what sites say
	"internal/soak":         {},                                      // what its tests stand on is theirs; it only knows a leak when it sees one
	"internal/...":          {},

	"cmd/...":      {local: []string{anything}},
	"examples/...": {local: []string{anything}},
	// What it shows is a transaction of the user's.
	"examples/transactional":      {local: []string{anything}, modules: []string{"github.com/jackc/pgx/v5"}},
	"examples/transactional/shop": {local: []string{anything}, modules: []string{"github.com/jackc/pgx/v5"}},
}

var (
	core     = []string{"stem", "stem/codec"}
	features = []string{"stem/limit", "stem/beat", "stem/canvas", "stem/workflow"}
	adapter  = concat(core, features, "stem/ops")
)

// anything of this module, for programs.
const anything = "*"

func concat(a, b []string, more ...string) []string { return slices.Concat(a, b, more) }

// Imports point one way: programs, then adapters and features, then the core.
func TestImportsFollowTheRules(t *testing.T) {
	graph, err := importGraph(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(graph["stem"]) == 0 {
		t.Fatal("package stem was not found: the walk over the tree is broken")
	}
	for _, violation := range checkImports(graph, importRules) {
		t.Error(violation)
	}
}

// file is a Go file's path and what it imports.
type file struct {
	path    string
	imports []string
}

// importGraph reads the imports of all non-test files below root, by package,
// whatever their build constraints say. It asks the files and not the go command,
// because go test caches this test's result for as long as the files that it opens
// are the same.
func importGraph(root string) (map[string][]file, error) {
	graph := make(map[string][]file)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		f := file{path: filepath.ToSlash(name)}
		if f.imports, err = importsOf(name); err != nil {
			return err
		}
		graph[path.Dir(f.path)] = append(graph[path.Dir(f.path)], f)
		return nil
	})
	return graph, err
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func importsOf(name string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, imported)
	}
	return imports, nil
}

// checkImports names every package without a rule and every import that a rule
// does not allow, in order.
func checkImports(graph map[string][]file, rules map[string]rule) []string {
	var violations []string
	for pkg, files := range graph {
		r, ok := ruleFor(pkg, rules)
		if !ok {
			violations = append(violations, fmt.Sprintf("package %s has no rule: say in importRules of imports_test.go what it may import", pkg))
			continue
		}
		for _, f := range files {
			for _, imported := range f.imports {
				if !r.allows(imported) {
					violations = append(violations, fmt.Sprintf("%s: package %s may not import %s (its rule stands in importRules of imports_test.go)", f.path, pkg, imported))
				}
			}
		}
	}
	slices.Sort(violations)
	return violations
}

func ruleFor(pkg string, rules map[string]rule) (rule, bool) {
	if r, ok := rules[pkg]; ok {
		return r, true
	}
	for above := path.Dir(pkg); above != "."; above = path.Dir(above) {
		if r, ok := rules[above+"/..."]; ok {
			return r, true
		}
	}
	return rule{}, false
}

func (r rule) allows(imported string) bool {
	if local, ok := strings.CutPrefix(imported, module+"/"); ok {
		return slices.ContainsFunc(r.local, func(allowed string) bool {
			return allowed == anything || allowed == local
		})
	}
	within := func(root string) bool { return imported == root || strings.HasPrefix(imported, root+"/") }
	if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
		return slices.ContainsFunc(r.modules, within)
	}
	return !slices.ContainsFunc(r.never, within)
}

func TestCheckImportsNamesWhatIsForbidden(t *testing.T) {
	rules := map[string]rule{
		"core":      {never: []string{"net"}},
		"a":         {local: []string{"core"}},
		"store":     {local: []string{"core"}, modules: []string{"example.com/driver/v2"}},
		"kinds/x":   {},
		"tools/...": {local: []string{anything}},
	}
	mine := func(pkg string) string { return module + "/" + pkg }
	refused := func(file, pkg, imported string) []string {
		return []string{file + ": package " + pkg + " may not import " + imported + " (its rule stands in importRules of imports_test.go)"}
	}
	unruled := func(pkg string) []string {
		return []string{"package " + pkg + " has no rule: say in importRules of imports_test.go what it may import"}
	}
	tests := []struct {
		promise  string
		pkg      string
		imported string
		want     []string
	}{
		{"the standard library is free", "core", "encoding/json", nil},
		{"but for what a rule refuses", "core", "net", refused("core/f.go", "core", "net")},
		{"and what lies below that", "core", "net/http", refused("core/f.go", "core", "net/http")},
		{"a name that merely starts alike is another package", "core", "netip", nil},
		{"the core imports no feature", "core", mine("a"), refused("core/f.go", "core", mine("a"))},
		{"a feature imports the core", "a", mine("core"), nil},
		{"a feature imports no neighbour", "a", mine("store"), refused("a/f.go", "a", mine("store"))},
		{"nor a package below what it may import", "a", mine("core/deep"), refused("a/f.go", "a", mine("core/deep"))},
		{"a module that is allowed is allowed with its packages", "store", "example.com/driver/v2/pool", nil},
		{"another major version is another module", "store", "example.com/driver", refused("store/f.go", "store", "example.com/driver")},
		{"a module that is not allowed is refused", "a", "example.com/driver/v2", refused("a/f.go", "a", "example.com/driver/v2")},
		{"a pattern holds for all that lies below it", "tools/one/inner", mine("core"), nil},
		{"and not for what it hangs on", "tools", "fmt", unruled("tools")},
		{"a program imports all of this module", "tools/one", mine("kinds/x"), nil},
		{"but no other module", "tools/one", "example.com/driver/v2", refused("tools/one/f.go", "tools/one", "example.com/driver/v2")},
		{"a package without a rule is named", "new", "fmt", unruled("new")},
		{"also below one that has a rule", "kinds/x/inner", "fmt", unruled("kinds/x/inner")},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			graph := map[string][]file{tt.pkg: {{path: tt.pkg + "/f.go", imports: []string{tt.imported}}}}
			if diff := cmp.Diff(checkImports(graph, rules), tt.want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

// The walk sees every package, and of a package every file but the tests.
func TestImportGraphLeavesOutTestsAndOtherModules(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":           "package a\n\nimport \"fmt\"\n",
		"a/a_windows.go":   "package a\n\nimport \"os\"\n",
		"a/a_test.go":      "package a\n\nimport \"testing\"\n",
		"a/testdata/b.go":  "package b\n",
		"nested/go.mod":    "module nested\n",
		"nested/nested.go": "package nested\n",
		".hidden/h.go":     "package hidden\n",
	} {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	graph, err := importGraph(".")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]file{"a": {{"a/a.go", []string{"fmt"}}, {"a/a_windows.go", []string{"os"}}}}
	if diff := cmp.Diff(graph, want, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
