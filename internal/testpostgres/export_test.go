//go:build unix

package testpostgres

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Hold runs a server and closes standard output, and does nothing more.
func Hold() {
	if _, err := newInstance(Config{}, plain, func(*instance) error { return nil }); err != nil {
		panic(err)
	}
	os.Stdout.Close()
	time.Sleep(time.Minute)
}

// Folders gives the folders of the servers of a test process.
func Folders(pid int) []string {
	found, _ := filepath.Glob(filepath.Join(root(), fmt.Sprintf("%s-%d-*", prefix, pid)))
	return found
}

// Programs looks for servers on PATH, and then in other places.
func Programs(places ...string) (string, error) { return programs(places) }

// Program looks for PgBouncer on PATH, and then in other places.
func Program(places ...string) (string, error) { return bouncer(places) }
