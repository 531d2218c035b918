package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gostem/gostem/stemgen"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stemgen": func() { os.Exit(runUntilInterrupt(os.Args[1:], os.Stdout, patient{os.Stderr})) },
	})
}

// A patient writer leaves out that the go command takes its time, which depends on the
// machine.
type patient struct{ io.Writer }

func (w patient) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("stemgen: the go command is compiling")) {
		return len(p), nil
	}
	return w.Writer.Write(p)
}

// The scripts of testdata/script are runs of the command as its users make them.
// Each begins in a module that requires this one.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
				value, err := goEnv(name)
				if err != nil {
					return err
				}
				env.Setenv(name, value)
			}
			env.Setenv("GOPROXY", "off")
			env.Setenv("ROOT", root)
			return writeModule(env.WorkDir, root)
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"edit": edit, "changed": changed},
	})
}

func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(out)), err
}

// writeModule requires all that this module does, so that nothing has to be looked up.
func writeModule(dir, root string) error {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	_, requirements, _ := strings.Cut(string(mod), "\n")
	requirements, _, _ = strings.Cut(requirements, "\ntool ")
	mod = fmt.Appendf(nil, "module example.com/app\n%s\nrequire github.com/gostem/gostem v0.0.0\nreplace github.com/gostem/gostem => %s\n", requirements, root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644)
}

// edit replaces one text in a file by another: edit file old new.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	name := ts.MkAbs(args[0])
	content := ts.ReadFile(name)
	if !strings.Contains(content, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, []byte(strings.Replace(content, args[1], args[2], 1)), 0o644))
}

// changed makes an edit that the generated file must not survive, tells so by what the compiler
// says, and takes the edit back: changed file old new.
func changed(ts *testscript.TestScript, neg bool, args []string) {
	before := ts.ReadFile(args[0])
	edit(ts, neg, args)
	if err := ts.Exec("go", "build", "./..."); err == nil {
		ts.Fatalf("%q in place of %q compiles", args[2], args[1])
	}
	if said := ts.ReadFile("stderr"); !strings.Contains(said, "runGoGenerateAgain") {
		ts.Fatalf("%q in place of %q: the compiler says\n%s", args[2], args[1], said)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(before), 0o644))
}

func TestAnInterruptedRunWritesNothingMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := stemgen.File{Path: filepath.Join(t.TempDir(), stemgen.GeneratedName), Want: []byte("package work\n")}
	c := command{stdout: io.Discard, stderr: io.Discard}
	if _, err := c.settle(ctx, []stemgen.File{file}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := os.Stat(file.Path); !os.IsNotExist(err) {
		t.Errorf("the file was written: %v", err)
	}
}
