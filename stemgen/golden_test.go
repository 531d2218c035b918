package stemgen_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/gostem/gostem/stemgen"
)

var update = flag.Bool("update", false, "write the wanted parts of the golden files anew")

// A goldenCase is one file of testdata/golden: packages as their author wrote them,
// and below want/ what stemgen makes of them: the generated files, or the diagnostics.
// The text before the files says what the case promises. A line of it that begins with
// "msgpack:" says why the other library carries the types in another way, one that
// begins with "loses:" why not all of a value travels.
type goldenCase struct {
	name    string
	path    string
	archive *txtar.Archive
}

const (
	wantPrefix      = "want/"
	wantDiagnostics = wantPrefix + "diagnostics"
)

func readCases(t *testing.T) []goldenCase {
	t.Helper()
	paths, err := filepath.Glob("../testdata/golden/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	cgo, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for _, path := range paths {
		if filepath.Base(path) == "cgo.txtar" && strings.TrimSpace(string(cgo)) != "1" {
			continue
		}
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, goldenCase{strings.TrimSuffix(filepath.Base(path), ".txtar"), path, archive})
	}
	if len(cases) == 0 {
		t.Fatal("there are no golden cases")
	}
	return cases
}

// Every rule of the generator and every text of a diagnostic has a case in
// testdata/golden. All cases are loaded at once; what they give is compiled, vetted,
// and carried to the other MessagePack library and back.
func TestGolden(t *testing.T) {
	cases := readCases(t)
	dir := newModule(t)
	for _, c := range cases {
		c.extract(t, dir)
	}
	outputs, err := stemgen.GenerateEach(t.Context(), stemgen.Config{Dir: dir, Patterns: []string{"./..."}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := outputs[c.name]
			c.compare(t, dir, out)
			for _, f := range out.Files {
				if err := f.Write(); err != nil {
					t.Error(err)
				}
			}
			if !slices.ContainsFunc(out.Diagnostics, func(d stemgen.Diagnostic) bool { return !d.Warning }) {
				packages = append(packages, c.packages(out, dir)...)
			}
		})
	}
	t.Run("tests", func(t *testing.T) { runTests(t, dir, cases, outputs) })
	t.Run("vet", func(t *testing.T) { goCommand(t, dir, append([]string{"vet"}, packages...)...) })
	t.Run("round trip", func(t *testing.T) { roundTrip(t, dir, cases, outputs) })
}

// newModule makes a module that requires this one.
func newModule(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	writeModule(t, dir)
	return dir
}

func writeModule(t testing.TB, dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ := strings.Cut(string(mod), "\n")
	mod = fmt.Appendf(nil, "module example.com/golden\n%s\nrequire github.com/gostem/gostem v0.0.0\nreplace github.com/gostem/gostem => %s\n", requirements, root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), mod)
	writeFile(t, filepath.Join(dir, "go.sum"), sum)
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// extract writes the case's packages. In their text, ⟨CR⟩, ⟨BOM⟩ and ⟨BQ⟩ stand for
// what an archive could not hold, or no reader would see.
func (c goldenCase) extract(t testing.TB, dir string) {
	t.Helper()
	unseen := strings.NewReplacer("⟨CR⟩", "\r", "⟨BOM⟩", "\ufeff")
	for _, f := range c.archive.Files {
		if !strings.HasPrefix(f.Name, wantPrefix) {
			writeFile(t, filepath.Join(dir, c.name, f.Name), []byte(unseen.Replace(string(f.Data))))
		}
	}
}

// compare holds what stemgen gave against what the case wants, or makes it what the
// case wants.
func (c goldenCase) compare(t *testing.T, dir string, out stemgen.Output) {
	t.Helper()
	root := filepath.Join(dir, c.name) + string(filepath.Separator)
	got := make(map[string]string)
	if len(out.Diagnostics) > 0 {
		var b strings.Builder
		for _, d := range out.Diagnostics {
			d.File = filepath.ToSlash(strings.TrimPrefix(d.File, root))
			for i, other := range d.Related {
				d.Related[i].File = filepath.ToSlash(strings.TrimPrefix(other.File, root))
			}
			d.Message = strings.ReplaceAll(d.Message, root, "")
			fmt.Fprintln(&b, d)
		}
		got[wantDiagnostics] = b.String()
	}
	for _, f := range out.Files {
		if f.Want != nil && f.State() != stemgen.Current && (c.showsLock() || filepath.Base(f.Path) != stemgen.LockName) {
			got[wantPrefix+filepath.ToSlash(strings.TrimPrefix(f.Path, root))] = string(f.Want)
		}
	}
	if *update {
		c.rewrite(t, got)
		return
	}
	want := make(map[string]string)
	for _, f := range c.archive.Files {
		if strings.HasPrefix(f.Name, wantPrefix) {
			want[f.Name] = string(f.Data)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want + (go test ./stemgen -update writes what it got):\n%s", diff)
	}
}

// showsLock tells whether the case is about locks: the others leave theirs out.
func (c goldenCase) showsLock() bool { return strings.Contains(c.name, "lock_") }

func (c goldenCase) rewrite(t *testing.T, got map[string]string) {
	t.Helper()
	archive := &txtar.Archive{Comment: c.archive.Comment}
	for _, f := range c.archive.Files {
		if !strings.HasPrefix(f.Name, wantPrefix) {
			archive.Files = append(archive.Files, f)
		}
	}
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
	}
	if content := txtar.Format(archive); !bytes.Equal(content, txtar.Format(c.archive)) {
		writeFile(t, c.path, content)
	}
}

// packages gives the import paths of the packages that have a generated file now.
func (c goldenCase) packages(out stemgen.Output, dir string) []string {
	var paths []string
	for _, f := range out.Files {
		rel, err := filepath.Rel(dir, filepath.Dir(f.Path))
		if err == nil && f.Want != nil && filepath.Base(f.Path) == stemgen.GeneratedName {
			paths = append(paths, "./"+filepath.ToSlash(rel))
		}
	}
	return paths
}

// runTests runs the tests that cases have among their files, where there is code to test.
func runTests(t *testing.T, dir string, cases []goldenCase, outputs map[string]stemgen.Output) {
	command := []string{"test"}
	for _, c := range cases {
		if matches, _ := filepath.Glob(filepath.Join(dir, c.name, "*_test.go")); matches != nil && len(outputs[c.name].Diagnostics) == 0 {
			command = append(command, "./"+c.name)
		}
	}
	goCommand(t, dir, command...)
}

// goCommand runs the go command and gives what it printed.
func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("go %s: %s\n%s", args[0], err, out)
	}
	return string(out)
}
