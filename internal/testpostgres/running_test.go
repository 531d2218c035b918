//go:build unix

package testpostgres_test

import (
	"os"
	"testing"

	"github.com/gostem/gostem/internal/testpostgres"
)

func TestAProgramRunsAServerInAFolderOfItsChoice(t *testing.T) {
	folder, err := os.MkdirTemp("", "testpostgres-") // not that of the test, into which the server's user may not look
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := testpostgres.Run(testpostgres.Config{Folder: folder, Settings: []string{"statement_timeout=7s"}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := s.Query("SHOW statement_timeout"); err != nil || rows[0][0] != "7s" {
		t.Errorf("statement_timeout: got %v, error %v, want 7s", rows, err)
	}
	if within, err := os.ReadDir(folder); err != nil || len(within) != 1 {
		t.Errorf("while it runs: got %v, error %v, want the server's own folder", within, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("after it: got %v, error %v, want nothing", left, err)
	}
}
