package testpostgres

import (
	"os"
	"syscall"
)

// root gives the folder for those of servers: memory, where there is room for some.
func root() string {
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return os.TempDir()
	}
	return memory
}
