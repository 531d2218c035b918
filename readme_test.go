package gostem_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheReadmesProgramRuns does what the README tells a newcomer to do, in a
// module of its own, and compares what the program prints.
func TestTheReadmesProgramRuns(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	output := regexp.MustCompile("(?s)It prints.*?```\n(.*?)```").FindSubmatch(readme)
	if len(code) != 2 || output == nil {
		t.Fatalf("got %d Go blocks and output %q, want the task, the program and what it prints", len(code), output)
	}
	if n := strings.Count(string(code[1][1]), "\n"); n > 30 {
		t.Errorf("the program has %d lines, want at most 30", n)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	app := t.TempDir()
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	requirements := regexp.MustCompile(`(?s)require \(.*?\n\)`).FindAllString(string(mod), -1)
	for name, content := range map[string]string{
		"hello/hello.go": string(code[0][1]),
		"main.go":        string(code[1][1]),
		"go.sum":         string(sums),
		"go.mod": "module example.com/app\n\ngo 1.26\n\ntool github.com/gostem/gostem/cmd/stemgen\n\n" +
			"require github.com/gostem/gostem v0.0.0\n\nreplace github.com/gostem/gostem => " + here + "\n\n" +
			strings.Join(requirements, "\n\n") + "\n", // so that nothing is looked up
	} {
		path := filepath.Join(app, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = app
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
		}
		return string(out)
	}
	command("generate", "./...")
	if got, want := command("run", "."), string(output[1]); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	command("tool", "stemgen", "-check", "./...")

	change := regexp.MustCompile("(?s)```diff\n-(.*?)\n\\+(.*?)\n```").FindSubmatch(readme)
	if change == nil {
		t.Fatal("the README does not show what changes for Redis")
	}
	onRedis := strings.NewReplacer("adapters/memory", "adapters/redis", string(change[1]), string(change[2])).Replace(string(code[1][1]))
	if strings.Contains(onRedis, "memory") {
		t.Fatalf("the README changes a line that its program does not have:\n%s", onRedis)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(onRedis), 0o644); err != nil {
		t.Fatal(err)
	}
	command("vet", ".")
}
