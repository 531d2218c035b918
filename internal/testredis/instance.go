//go:build unix

package testredis

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gostem/gostem/internal/freeport"
	"github.com/gostem/gostem/internal/testprocess"
)

// patience is how long a server may take to start, and to end.
const patience = 20 * time.Second

var errNoBinary = errors.New("there is no redis-server on PATH: install it (apt-get install redis-server, brew install redis)")

// spec says what an instance runs with, beside its port and its folder.
type spec struct {
	file string      // a file with configuration, which comes first; "" for none
	args []string    // for redis-server
	tls  *tls.Config // with which to speak to it; nil for plain TCP
	user string      // as it stands in the URL: "name:password@", or ""
}

// instance is a server with a port and a folder of its own. It can be started
// again when it has ended.
type instance struct {
	spec
	dir     string
	port    int
	process *testprocess.Process
}

// newInstance starts a server in dir. If somebody else takes its port meanwhile
// it gets another.
func newInstance(dir string, s spec) (*instance, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errNoBinary
	}
	var failures []error
	for range 3 {
		port, err := freeport.Find()
		if err != nil {
			return nil, err
		}
		i := &instance{spec: s, dir: dir, port: port}
		if err = i.start(); err == nil {
			return i, nil
		}
		failures = append(failures, err)
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// start runs the server and waits until it answers.
func (i *instance) start() error {
	log, err := os.OpenFile(i.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("redis-server", i.arguments()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = i.dir, log, log
	if i.process, err = testprocess.Start(cmd); err != nil {
		return err
	}
	if err := i.ready(); err != nil {
		_ = i.process.End(syscall.SIGKILL, patience)
		return fmt.Errorf("redis-server on %s: %w; its log:\n%s", i.addr(), err, i.log())
	}
	return nil
}

func (i *instance) arguments() []string {
	var args []string
	if i.file != "" {
		args = append(args, i.file)
	}
	port := []string{"--port", strconv.Itoa(i.port)}
	if i.tls != nil {
		port = []string{"--port", "0", "--tls-port", strconv.Itoa(i.port)}
	}
	args = append(args, port...)
	args = append(args, "--bind", "127.0.0.1", "--dir", i.dir, "--daemonize", "no")
	return append(args, i.args...)
}

// ready waits until the server answers and has loaded its data. One with another
// process id that answers has won a race for the port.
func (i *instance) ready() error {
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		info, err := i.do("INFO", "server")
		switch text, _ := info.(string); {
		case err != nil:
			last = err
		case !strings.Contains(text, fmt.Sprintf("process_id:%d\r\n", i.process.PID())):
			last = errors.New("another server answers there")
		default:
			return i.loaded(deadline)
		}
		if i.process.Ended(2 * time.Millisecond) {
			return fmt.Errorf("it ended (%v)", i.process.State())
		}
	}
	return fmt.Errorf("it does not answer: %w", last)
}

// loaded waits until the server takes commands.
func (i *instance) loaded(deadline time.Time) error {
	for {
		_, err := i.do("GET", "is it loaded?")
		if err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
			return nil // a refusal of another kind is an answer, too
		}
		if time.Now().After(deadline) || i.process.Ended(2*time.Millisecond) {
			return err
		}
	}
}

// do sends one command on a connection of its own.
func (i *instance) do(args ...string) (any, error) {
	c, err := i.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return (&conn{Conn: c, replies: bufio.NewReader(c)}).do(args...)
}

func (i *instance) dial() (net.Conn, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if i.tls != nil {
		return tls.DialWithDialer(d, "tcp", i.addr(), i.tls)
	}
	return d.Dial("tcp", i.addr())
}

func (i *instance) end(sig syscall.Signal) error { return i.process.End(sig, patience) }

func (i *instance) addr() string    { return freeport.Address(i.port) }
func (i *instance) logFile() string { return filepath.Join(i.dir, "redis.log") }

func (i *instance) url() string {
	scheme := "redis://"
	if i.tls != nil {
		scheme = "rediss://"
	}
	return scheme + i.user + i.addr()
}

// log gives the end of what the server has written.
func (i *instance) log() string {
	text, err := os.ReadFile(i.logFile())
	if err != nil {
		return err.Error()
	}
	const most = 4000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}
