//go:build unix

package testpostgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gostem/gostem/internal/freeport"
	"github.com/gostem/gostem/internal/testprocess"
)

// patience is how long a server may take to start, and to end.
const patience = 60 * time.Second

// instance is a server with a port and a folder of its own. It can be started
// again when it has ended.
type instance struct {
	*installation
	dir      string
	port     int
	settings []string   // name=value
	options  url.Values // of URLs
	process  *testprocess.Process
}

// newInstance prepares a server, and lets prepare have its data, before it starts it.
func newInstance(cfg Config, options url.Values, prepare func(i *instance) error) (*instance, error) {
	in, err := installed()
	if err != nil {
		return nil, err
	}
	dir, err := in.newFolder(cmp.Or(cfg.Folder, root()))
	if err != nil {
		return nil, err
	}
	i := &instance{installation: in, dir: dir, settings: cfg.Settings, options: options}
	if err = errors.Join(in.copyTo(dir, i.data()), prepare(i)); err == nil {
		err = i.startSomewhere()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return i, nil
}

func (i *instance) startSomewhere() error {
	return somewhere(func(port int) error {
		i.port = port
		return i.start()
	})
}

// somewhere starts a program on a free port, and on another if somebody takes that meanwhile.
func somewhere(start func(port int) error) error {
	var failures []error
	for range 3 {
		port, err := freeport.Find()
		if err != nil {
			return err
		}
		if err = start(port); err == nil {
			return nil
		}
		failures = append(failures, err)
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return errors.Join(failures...)
}

// start runs the server and waits until it answers.
func (i *instance) start() error {
	log, err := os.Create(i.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", i.data()}
	for _, s := range append([]string{"port=" + strconv.Itoa(i.port), "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"}, i.settings...) {
		args = append(args, "-c", s)
	}
	cmd := i.command(i.dir, filepath.Join(i.bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	orphaned(cmd.SysProcAttr)
	if i.process, err = testprocess.Start(cmd); err != nil {
		return err
	}
	if err := i.ready(); err != nil {
		_ = i.process.End(syscall.SIGQUIT, patience)
		return fmt.Errorf("postgres on %s: %w; its log:\n%s", i.addr(), err, i.log())
	}
	return nil
}

// ready waits until the server lets us in. No other does: the password is that of this process.
func (i *instance) ready() error { return answers(i.process, i.url("postgres"), "SELECT 1") }

// answers waits until a program lets us in.
func answers(p *testprocess.Process, url, sql string) error {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err = query(url, sql); err == nil {
			return nil
		}
		if p.Ended(5 * time.Millisecond) {
			return fmt.Errorf("it ended (%v)", p.State())
		}
	}
	return fmt.Errorf("it does not answer: %w", err)
}

// remove ends the server and removes its folder.
func (i *instance) remove() error {
	_ = i.process.Continue() // it may be paused, or gone
	if state := i.process.State(); state != nil && !state.Exited() {
		// It was killed and has left shared memory behind, which the next start finds.
		_ = i.start()
	}
	return errors.Join(i.process.End(syscall.SIGQUIT, patience), os.RemoveAll(i.dir))
}

func (i *instance) addr() string    { return freeport.Address(i.port) }
func (i *instance) data() string    { return filepath.Join(i.dir, "data") }
func (i *instance) logFile() string { return filepath.Join(i.dir, "postgres.log") }

func (i *instance) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", i.password), Host: i.addr(), Path: database, RawQuery: i.options.Encode()}
	return u.String()
}

// log gives the end of what the server has written.
func (i *instance) log() string { return tail(i.logFile()) }

// tail gives the end of a file.
func tail(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(text[max(len(text)-most, 0):])
}

// query runs SQL on a connection of its own, for 10 s at most, and answers the rows of the last
// statement as text.
func query(url, sql string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(ctx) }()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows [][]string
	for _, values := range results[len(results)-1].Rows {
		var row []string
		for _, v := range values {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	return rows, nil
}
