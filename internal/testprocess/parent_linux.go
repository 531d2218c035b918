package testprocess

import "syscall"

// dieWithParent lets the kernel kill the child when the thread that started it
// ends. Threads of Go live as long as the process, but for those on which a
// goroutine ends that has locked them.
func dieWithParent(attr *syscall.SysProcAttr) {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
}
