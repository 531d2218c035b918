//go:build unix && !linux

package testpostgres

import "os"

// root gives the folder for those of servers.
func root() string { return os.TempDir() }
