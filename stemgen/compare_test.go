package stemgen_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gostem/gostem/stemgen"
)

// What is said to be read is what generated code reads: a program has a task for each
// kind of args, and tries each with the values of all others.
func TestReadsTellsWhatGeneratedCodeReads(t *testing.T) {
	dir := newModule(t)
	for _, name := range []string{"kinds.go", "main.go"} {
		content, err := os.ReadFile(filepath.Join("testdata", "reads", name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "reads", name), content)
	}
	out, err := stemgen.Generate(t.Context(), stemgen.Config{Dir: dir, Patterns: []string{"./reads"}})
	if err != nil || len(out.Diagnostics) > 0 {
		t.Fatal(err, out.Diagnostics)
	}
	var schemas map[string]string
	for _, f := range out.Files {
		if err := f.Write(); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(f.Path) == stemgen.LockName {
			if schemas, err = stemgen.LockedArgs(f.Want); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := exec.CommandContext(t.Context(), "go", "run", "./reads")
	run.Dir = dir
	told, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %s", err, told)
	}
	pairs := 0
	for line := range strings.Lines(string(told)) {
		var old, now string
		var want bool
		if _, err := fmt.Sscan(line, &old, &now, &want); err != nil {
			t.Fatalf("%s: %s", line, err)
		}
		was, is := schemas["reads."+old], schemas["reads."+now]
		got, err := stemgen.Reads(was, is)
		if err != nil {
			t.Errorf("%s, %s: %s", old, now, err)
		} else if got != want {
			t.Errorf("%s reads %s: got %t, want %t", is, was, got, want)
		}
		pairs++
	}
	if want := len(schemas) * len(schemas); pairs != want || pairs == 0 {
		t.Errorf("got %d pairs, want %d", pairs, want)
	}
}
