//go:build unix && !linux

package testpostgres

import "syscall"

// orphaned does nothing where no kernel tells a child of its parent's death.
func orphaned(*syscall.SysProcAttr) {}
