//go:build unix && !linux

package testprocess

import (
	"bytes"
	"os/exec"
	"strconv"
	"syscall"
)

// dieWithParent does nothing where no kernel does it: there a child outlives a
// test process that is killed.
func dieWithParent(*syscall.SysProcAttr) {}

// isStopped reports whether SIGSTOP has reached a process.
func isStopped(pid int) bool {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(state), []byte("T"))
}
