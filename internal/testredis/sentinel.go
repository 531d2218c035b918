//go:build unix

package testredis

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// masterName is what sentinels call the master.
const masterName = "stem"

// Watched is a master and a replica with three sentinels that watch them, of one test.
type Watched struct {
	t testing.TB
	// Servers are the master and the replica, as they were in the beginning.
	Servers   []*Server
	sentinels []*Server
}

// Sentinel runs a master, a replica and three sentinels for this test, and waits until all
// know each other, which takes two seconds. A master that does not answer for a
// second is taken for dead; in less a busy machine would be.
func Sentinel(t testing.TB) *Watched {
	t.Helper()
	// The delay is what a master waits for more replicas before it sends its data.
	options := []string{"--repl-diskless-sync-delay", "0"}
	master := Start(t, Config{Args: options})
	replica := Start(t, Config{Args: append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(master.port)}, options...)})
	w := &Watched{t: t, Servers: []*Server{master, replica}}
	for range 3 {
		w.sentinels = append(w.sentinels, startSentinel(t, master.port))
	}
	if err := await("the sentinels know each other", patience, w.missing); err != nil {
		t.Fatal(err)
	}
	return w
}

func startSentinel(t testing.TB, master int) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf") // sentinels keep in it what they learn
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 2\nsentinel down-after-milliseconds %[1]s 1000\nsentinel failover-timeout %[1]s 2000\n", masterName, master)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, dir, spec{file: file, args: []string{"--sentinel"}})
}

// missing says what a failover would lack.
func (w *Watched) missing() error {
	if info, err := w.Servers[1].Do("INFO", "replication"); err != nil || !strings.Contains(info.(string), "master_link_status:up") {
		return fmt.Errorf("the replica has no link to its master (%v)", err)
	}
	for _, s := range w.sentinels {
		reply, err := s.Do("SENTINEL", "MASTER", masterName)
		if err != nil {
			return err
		}
		fields := make(map[any]any)
		for pair := reply.([]any); len(pair) > 1; pair = pair[2:] {
			fields[pair[0]] = pair[1]
		}
		if fields["num-slaves"] != "1" || fields["num-other-sentinels"] != "2" || fields["flags"] != "master" {
			return fmt.Errorf("sentinel %s knows %v replicas, %v other sentinels, and a master that is %v",
				s.Addr(), fields["num-slaves"], fields["num-other-sentinels"], fields["flags"])
		}
	}
	return nil
}

// MasterName is what the sentinels call the master.
func (w *Watched) MasterName() string { return masterName }

// SentinelAddrs gives host and port of each sentinel.
func (w *Watched) SentinelAddrs() []string {
	var addrs []string
	for _, s := range w.sentinels {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Master gives the server that the sentinels take for the master now.
func (w *Watched) Master() *Server {
	w.t.Helper()
	s, err := w.master()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *Watched) master() (*Server, error) {
	reply, err := w.sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
	if err != nil {
		return nil, err
	}
	at, ok := reply.([]any)
	if !ok || len(at) != 2 {
		return nil, fmt.Errorf("the sentinel answers %v, want host and port", reply)
	}
	addr := net.JoinHostPort(fmt.Sprint(at[0]), fmt.Sprint(at[1]))
	for _, s := range w.Servers {
		if s.Addr() == addr {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the sentinel takes %s for the master, want one of ours", addr)
}

// KillMaster kills the master and waits until the sentinels have made the replica the new one,
// which it answers. What the old one had acknowledged and not yet replicated is lost. It
// becomes a replica some ten seconds after it is restarted.
func (w *Watched) KillMaster() *Server {
	w.t.Helper()
	old := w.Master()
	old.Kill()
	var now *Server
	err := await("failover", patience, func() (err error) {
		if now, err = w.master(); err != nil {
			return err
		}
		if now == old {
			return errors.New("the sentinels have not elected another master")
		}
		if role, err := now.Do("ROLE"); err != nil || role.([]any)[0] != "master" {
			return fmt.Errorf("%s is no master yet (%v)", now.Addr(), err)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return now
}
