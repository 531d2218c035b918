//go:build unix

package testpostgres

import "syscall"

// Running is a server of a program that is no test, such as a benchmark.
type Running struct{ i *instance }

// Run runs a server until Stop, or until the program ends. What the servers of a program share goes with
// [Suite.Run].
func Run(cfg Config) (Running, error) {
	i, err := newInstance(cfg, plain, func(*instance) error { return nil })
	return Running{i}, err
}

// URL gives the address of the database postgres as a URL, with user and password. The user may do anything.
func (r Running) URL() string { return r.i.url("postgres") }

// PID gives the number of the server's first process.
func (r Running) PID() int { return r.i.process.PID() }

// Query runs SQL in the database postgres and answers the rows of the last statement as text.
func (r Running) Query(sql string) ([][]string, error) { return query(r.URL(), sql) }

// Kill kills the first process by SIGKILL and waits until the others have noticed and are gone, too.
func (r Running) Kill() error { return r.i.process.End(syscall.SIGKILL, patience) }

// Abort ends the server at once and without writing anything, as pg_ctl stop -m immediate does.
func (r Running) Abort() error { return r.i.process.End(syscall.SIGQUIT, patience) }

// Restart starts a server that has ended anew, on its port and in its folder, and waits until it has recovered.
func (r Running) Restart() error { return r.i.start() }

// Stop ends the server and removes its folder.
func (r Running) Stop() error { return r.i.remove() }
