//go:build unix

package testredis

import (
	"errors"
	"os"
	"syscall"

	"github.com/gostem/gostem/internal/testprocess"
)

// Running is a server of a program that is no test, such as a benchmark.
type Running struct{ i *instance }

// Run runs a server in a folder of its own until Stop, or until the program ends.
func Run(cfg Config) (Running, error) {
	dir, err := testprocess.Folder(os.TempDir(), "testredis")
	if err != nil {
		return Running{}, err
	}
	i, err := newInstance(dir, cfg.spec())
	if err != nil {
		return Running{}, errors.Join(err, os.RemoveAll(dir))
	}
	return Running{i}, nil
}

// Addr gives host and port. They stay the same over a restart.
func (r Running) Addr() string { return r.i.addr() }

// URL gives the address as a URL.
func (r Running) URL() string { return r.i.url() }

// Kill ends the server by SIGKILL and waits until it is gone.
func (r Running) Kill() error { return r.i.end(syscall.SIGKILL) }

// Restart starts a server that has ended anew, on its port and in its folder, and waits until it has loaded what it finds there.
func (r Running) Restart() error { return r.i.start() }

// Stop ends the server and removes its folder.
func (r Running) Stop() error { return errors.Join(r.Kill(), os.RemoveAll(r.i.dir)) }
