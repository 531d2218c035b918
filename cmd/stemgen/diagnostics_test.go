package main

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what stemgen says into docs/diagnostics.md anew")

var (
	sectionTitle = regexp.MustCompile(`(?m)^### (S\d{3}): `)
	exampleForm  = regexp.MustCompile("(?s)```go\n(.*?)```\n\n```console\n\\$ stemgen([^\n]*)\n(.*?)```")
	codeForm     = regexp.MustCompile(`(?m)\[(S\d{3})\]$`)
)

// The page on diagnostics has a section for each code, in order, and in each an example
// of which stemgen says what the page says, and nothing of another code.
func TestDiagnosticsPage(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", "diagnostics.md")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	starts := sectionTitle.FindAllStringSubmatchIndex(page, -1)
	var codes []string
	for i, at := range starts {
		code, end := page[at[2]:at[3]], len(page)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		codes = append(codes, code)
		t.Run(code, func(t *testing.T) { runExample(t, root, code, page[at[0]:end], &content) })
	}
	if diff := cmp.Diff(codes, diagnosticCodes(t, root)); diff != "" {
		t.Errorf("got sections -, want one for each code +:\n%s", diff)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// diagnosticCodes gives the codes in the order of their declaration.
func diagnosticCodes(t *testing.T, root string) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "stemgen", "diagnostic.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Code" {
				code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	return codes
}

// runExample runs stemgen on the example of a section, in a module of its own. With
// -update, it puts what stemgen says into the page.
func runExample(t *testing.T, root, code, section string, page *[]byte) {
	m := exampleForm.FindStringSubmatchIndex(section)
	if m == nil {
		if code != "S901" { // which no example gives
			t.Fatal("the section has no example")
		}
		return
	}
	files, args, want := section[m[2]:m[3]], section[m[4]:m[5]], section[m[6]:m[7]]
	if !strings.HasPrefix(files, "-- ") {
		files = "-- mail.go --\n" + files
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := writeModule(dir, root); err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(files)).Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOPROXY", "off")
	var out bytes.Buffer
	run(t.Context(), strings.Fields(args), &out, patient{&out})
	got := strings.ReplaceAll(out.String(), dir, "/home/me/app")
	said := codeForm.FindAllStringSubmatch(got, -1)
	if len(said) == 0 {
		t.Errorf("stemgen says nothing of %s: %s", code, got)
	}
	for _, m := range said {
		if m[1] != code {
			t.Errorf("the example gives %s as well:\n%s", m[1], got)
		}
	}
	if *update {
		*page = bytes.Replace(*page, []byte(section), []byte(section[:m[6]]+got+section[m[7]:]), 1)
	} else if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want + (go test ./cmd/stemgen -run DiagnosticsPage -update writes what it got):\n%s", diff)
	}
}
