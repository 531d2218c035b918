//go:build unix

package testprocess

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Folder makes a folder below root for what the test process keeps until its end, and
// removes those of the same prefix that test processes have left behind which were killed.
func Folder(root, prefix string) (string, error) {
	sweep(root, prefix)
	return os.MkdirTemp(root, fmt.Sprintf("%s-%d-", prefix, os.Getpid()))
}

func sweep(root, prefix string) {
	left, _ := filepath.Glob(filepath.Join(root, prefix+"-*")) // the pattern is good
	for _, dir := range left {
		var pid int
		name := strings.TrimPrefix(filepath.Base(dir), prefix)
		if _, err := fmt.Sscanf(name, "-%d-", &pid); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // not ours, where it cannot be
		}
	}
}
