package realworld

import (
	"cmp"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/gostem/gostem/stemgen"

	// Their types are only looked at; the imports keep them in go.mod.
	_ "github.com/aws/aws-sdk-go-v2/service/s3/types"
	_ "github.com/google/go-github/v74/github"
	_ "github.com/google/uuid"
	_ "github.com/gostem/gostem/stem"
	_ "github.com/guregu/null/v6"
	_ "github.com/jackc/pgx/v5/pgtype"
	_ "github.com/samber/mo"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/shopspring/decimal"
	_ "github.com/slack-go/slack"
	_ "github.com/stripe/stripe-go/v82"
	_ "github.com/vmihailenco/msgpack/v5"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "k8s.io/api/core/v1"
	_ "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// large is a package whose codecs take longer to compile than all the others'.
const large = "github.com/stripe/stripe-go/v82"

var paths = []string{
	"crypto/x509", "database/sql", "encoding/json", "encoding/xml", "go/token", "image", "log/slog", "math/big",
	"net", "net/http", "net/mail", "net/netip", "net/url", "os", "regexp", "sync", "text/template", "time",
	"github.com/aws/aws-sdk-go-v2/service/s3/types",
	"github.com/google/go-github/v74/github",
	"github.com/google/uuid",
	"github.com/guregu/null/v6",
	"github.com/jackc/pgx/v5/pgtype",
	"github.com/samber/mo",
	"github.com/shopspring/decimal",
	"github.com/slack-go/slack",
	large,
	"google.golang.org/protobuf/types/known/structpb",
	"google.golang.org/protobuf/types/known/timestamppb",
	"k8s.io/api/core/v1",
	"k8s.io/apimachinery/pkg/apis/meta/v1",
}

// A public is a package that somebody has published, and the names of its exported
// types that hold other things. Generic ones are instantiated with strings.
type public struct {
	path  string
	types []string
}

func publicTypes(t *testing.T) []public {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	var all []public
	for _, p := range loaded {
		for _, err := range p.Errors {
			t.Fatal(err)
		}
		found := public{path: p.PkgPath}
		for _, name := range p.Types.Scope().Names() {
			if name, ok := holder(p.Types.Scope().Lookup(name)); ok {
				found.types = append(found.types, name)
			}
		}
		all = append(all, found)
	}
	slices.SortFunc(all, func(a, b public) int { return cmp.Compare(a.path, b.path) })
	return all
}

// holder gives the name of an exported struct, slice, array or map.
func holder(obj types.Object) (name string, ok bool) {
	decl, ok := obj.(*types.TypeName)
	if !ok || !decl.Exported() || decl.IsAlias() {
		return "", false
	}
	named := decl.Type().(*types.Named)
	switch named.Underlying().(type) {
	case *types.Struct, *types.Slice, *types.Array, *types.Map:
	default:
		return "", false
	}
	name = decl.Name()
	if n := named.TypeParams().Len(); n > 0 {
		name += "[string" + strings.Repeat(", string", n-1) + "]"
	}
	for param := range named.TypeParams().TypeParams() {
		if !types.Satisfies(types.Typ[types.String], param.Constraint().Underlying().(*types.Interface)) {
			return "", false
		}
	}
	return name, true
}

func count(packages []public) int {
	n := 0
	for _, p := range packages {
		n += len(p.types)
	}
	return n
}

// sample keeps some types of each package, from all over the alphabet.
func sample(packages []public) []public {
	const most = 5
	var some []public
	for _, p := range packages {
		if p.path == large {
			continue
		}
		kept := public{path: p.path}
		step := max(len(p.types)/most, 1)
		for i := 0; i < len(p.types); i += step {
			kept.types = append(kept.types, p.types[i])
		}
		some = append(some, kept)
	}
	return some
}

// A module is one with a task for each type.
type module struct {
	dir    string
	taskAt map[string]string // types by the file and line of their tasks
}

func newModule(t *testing.T) *module {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod := readFile(t, "go.mod")
	mod = strings.Replace(mod, "module github.com/gostem/gostem/stemgen/realworld", "module example.com/realworld", 1)
	mod = strings.Replace(mod, "=> ../..", "=> "+root, 1)
	writeFile(t, filepath.Join(dir, "go.mod"), mod)
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, "go.sum"))
	return &module{dir: dir}
}

var noName = regexp.MustCompile(`\W+`)

// folder is where the tasks for a package's types lie; it is their package's name too.
func folder(path string) string { return noName.ReplaceAllString(path, "_") }

// write writes a task for each type, and forgets those of before.
func (m *module) write(t *testing.T, packages []public) {
	t.Helper()
	m.taskAt = make(map[string]string)
	for _, path := range paths {
		if err := os.RemoveAll(filepath.Join(m.dir, folder(path))); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range packages {
		file := filepath.Join(m.dir, folder(p.path), "tasks.go")
		b := new(strings.Builder)
		fmt.Fprintf(b, "package %s\n\nimport (\n\t\"context\"\n\n\tpublic %q\n)\n", folder(p.path), p.path)
		for _, name := range p.types {
			id := strings.TrimRight(noName.ReplaceAllString(name, "_"), "_")
			fmt.Fprintf(b, "\n//stem:task name=%s.%s\n", folder(p.path), id)
			m.taskAt[fmt.Sprintf("%s:%d", file, strings.Count(b.String(), "\n")+1)] = p.path + "." + name
			fmt.Fprintf(b, "func do%s(ctx context.Context, args public.%s) error { return nil }\n", id, name)
		}
		writeFile(t, file, b.String())
	}
}

func (m *module) generate(t *testing.T) stemgen.Output {
	t.Helper()
	out, err := stemgen.Generate(t.Context(), stemgen.Config{Dir: m.dir, Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var codecOf = regexp.MustCompile(`(?m)^var (stemCodec\w+) = \w+\.Codec\[`)

// writeChecks writes a program that carries values of each codec that was generated.
func (m *module) writeChecks(t *testing.T, packages []public) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(m.dir, "roundtrip"), os.DirFS("../testdata/roundtrip")); err != nil {
		t.Fatal(err)
	}
	var imports, calls strings.Builder
	for _, p := range packages {
		name := folder(p.path)
		var checks strings.Builder
		for _, codec := range codecOf.FindAllStringSubmatch(readFile(t, filepath.Join(m.dir, name, stemgen.GeneratedName)), -1) {
			fmt.Fprintf(&checks, "\troundtrip.CheckPublic(%q, %s)\n", p.path+"."+strings.TrimPrefix(codec[1], "stemCodec"), codec[1])
		}
		writeFile(t, filepath.Join(m.dir, name, "roundtrip.go"),
			fmt.Sprintf("package %s\n\nimport \"example.com/realworld/roundtrip\"\n\nfunc Check() {\n%s}\n", name, checks.String()))
		fmt.Fprintf(&imports, "\t\"example.com/realworld/%s\"\n", name)
		fmt.Fprintf(&calls, "\t%s.Check()\n", name)
	}
	writeFile(t, filepath.Join(m.dir, "cmd", "roundtrip", "main.go"), fmt.Sprintf(
		"package main\n\nimport (\n\t\"example.com/realworld/roundtrip\"\n%s)\n\nfunc main() {\n%s\troundtrip.Exit()\n}\n", imports.String(), calls.String()))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
