//go:build unix && !linux

package testprocess

import "syscall"

// dieWithParent does nothing where no kernel does it: there a child outlives a
// test process that is killed.
func dieWithParent(*syscall.SysProcAttr) {}
