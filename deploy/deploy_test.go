package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unit gives the template as a file of an instance, with a program that is there.
func unit(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd here")
	}
	text, err := os.ReadFile("stem-worker@.service")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stem-worker@1.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/app", program)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	// It looks at all units of the machine; what it says of others is not ours.
	said, _ := exec.Command("systemd-analyze", "verify", "--man=no", unit(t)).CombinedOutput()
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "stem-worker") {
			t.Error(line)
		}
	}
}

// The scale ends at 10, where nothing is protected.
func TestTheUnitIsHardened(t *testing.T) {
	said, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", unit(t)).CombinedOutput()
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(said)
	if level == nil {
		t.Fatalf("got %s (%v), want an exposure level", said, err)
	}
	if exposure, err := strconv.ParseFloat(string(level[1]), 64); err != nil || exposure > 2 {
		t.Errorf("got an exposure level of %s, want 2 at most:\n%s", level[1], said)
	}
}
