//go:build unix

package testpostgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

var errNoPrograms = errors.New("there is no PostgreSQL server here (initdb and postgres on PATH, or where Debian and Homebrew have them): " +
	"install it (apt-get install postgresql, brew install postgresql@17)")

// places are where servers are that PATH does not have.
var places = []string{
	"/usr/lib/postgresql/*/bin",          // Debian
	"/usr/pgsql-*/bin",                   // the project's own packages for Red Hat
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew
	"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
}

var errNoBouncer = errors.New("there is no PgBouncer here (pgbouncer on PATH, or where Debian and Homebrew have it): " +
	"install it (apt-get install pgbouncer, brew install pgbouncer)")

// bouncers are where PgBouncer is that PATH does not have.
var bouncers = []string{
	"/usr/sbin/pgbouncer", // Debian
	"/usr/bin/pgbouncer",  // Red Hat
	"/opt/homebrew/opt/pgbouncer/bin/pgbouncer",
	"/usr/local/opt/pgbouncer/bin/pgbouncer",
	"/home/linuxbrew/.linuxbrew/opt/pgbouncer/bin/pgbouncer",
}

// bouncer finds PgBouncer, on PATH or in the places.
func bouncer(places []string) (string, error) {
	for _, name := range append([]string{"pgbouncer"}, places...) {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", errNoBouncer
}

// programs finds the folder with initdb and postgres: that on PATH, or the newest in the places.
func programs(places []string) (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil && complete(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}
	var found []string
	for _, place := range places {
		dirs, _ := filepath.Glob(place) // the patterns are good
		found = append(found, slices.DeleteFunc(dirs, func(dir string) bool { return !complete(dir) })...)
	}
	if len(found) == 0 {
		return "", errNoPrograms
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// version reads the major version off a folder's name.
func version(dir string) int {
	name := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), "pgsql-")
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "postgresql@")) // 0 where there is none
	return n
}

// owner is the user to whom servers and their folders belong: nil for that of the tests. PostgreSQL
// refuses to run as root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: run the tests as another user, or make one for it: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
