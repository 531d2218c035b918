//go:build unix

package testprocess_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gostem/gostem/internal/testprocess"
)

func TestAFolderOutlivesItsProcessUntilTheNextOneIsMade(t *testing.T) {
	root := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fmt.Sprintf("kind-%d-1", dead.Process.Pid), fmt.Sprintf("other-%d-1", dead.Process.Pid), "kind-of-another", "kind"} {
		if err := os.MkdirAll(filepath.Join(root, name, "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // of one process, which lives
		if _, err := testprocess.Folder(root, "kind"); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]int{
		fmt.Sprintf("kind-%d-*", dead.Process.Pid):  0,
		fmt.Sprintf("other-%d-*", dead.Process.Pid): 1,
		fmt.Sprintf("kind-%d-*", os.Getpid()):       2,
		"kind-of-another":                           1,
		"kind":                                      1,
	} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) != want {
			t.Errorf("%s: got %q, error %v, want %d", pattern, found, err, want)
		}
	}
}
