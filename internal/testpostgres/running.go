//go:build unix

package testpostgres

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

// Stop ends the server and removes its folder.
func (r Running) Stop() error { return r.i.remove() }
