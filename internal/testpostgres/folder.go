//go:build unix

package testpostgres

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/gostem/gostem/internal/testprocess"
)

// installation is what all servers of the process are made from.
type installation struct {
	bin      string
	owner    *syscall.Credential // nil for the user of the tests
	password string              // of the user postgres
	pristine string              // the data of a server that has never run, to be copied
}

// installed makes the data of a server once: initdb takes a second or more, a copy a tenth of it.
var installed = sync.OnceValues(func() (*installation, error) {
	bin, err := programs(places)
	if err != nil {
		return nil, err
	}
	in := &installation{bin: bin, password: rand.Text()}
	if in.owner, err = owner(); err != nil {
		return nil, err
	}
	dir, err := in.newFolder(root())
	if err != nil {
		return nil, err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	in.pristine = filepath.Join(dir, "data")
	return in, in.initialize(dir)
})

// login is how servers have their users prove who they are. SCRAM makes a client hash 4,096 times, which takes 9 ms under the race
// detector, and each promise of the contract has connections of its own. Who has a secret of SCRAM's proves it so all the same.
const login = "md5"

func (in *installation) initialize(dir string) error {
	secret := filepath.Join(dir, "password")
	if err := in.write(secret, []byte(in.password)); err != nil {
		return err
	}
	out, err := in.command(dir, filepath.Join(in.bin, "initdb"),
		"-D", in.pristine, "-U", "postgres", "-A", login, "--pwfile", secret, "-E", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, out)
	}
	return nil
}

// command prepares a program that runs as the owner.
func (in *installation) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: in.owner}
	return cmd
}

// copyTo copies the pristine data.
func (in *installation) copyTo(dir, data string) error {
	if out, err := in.command(dir, "cp", "-R", "-p", in.pristine, data).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the data: %w: %s", err, out)
	}
	return nil
}

// write writes a file that only the owner may read.
func (in *installation) write(name string, text []byte) error {
	return errors.Join(os.WriteFile(name, text, 0o600), in.give(name))
}

func (in *installation) give(name string) error {
	if in.owner == nil {
		return nil
	}
	return os.Chown(name, int(in.owner.Uid), int(in.owner.Gid))
}

// prefix is that of the names of all folders.
const prefix = "testpostgres"

// newFolder makes a folder for a server below another one.
func (in *installation) newFolder(below string) (string, error) {
	dir, err := testprocess.Folder(below, prefix)
	if err != nil {
		return "", err
	}
	return dir, in.give(dir)
}
