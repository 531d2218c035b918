package testpostgres

import "syscall"

// orphaned lets the kernel stop the server when the test process dies: by the signal at which
// it removes its shared memory, too.
func orphaned(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
