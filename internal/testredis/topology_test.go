//go:build unix

package testredis_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testredis"
)

func TestANodeOfAClusterSaysWhereASlotIs(t *testing.T) {
	t.Parallel()
	c := testredis.Cluster(t, 3)
	slot := c.Slot("{queue}:ready")
	if got := c.Slot("{queue}:delayed"); got != slot {
		t.Fatalf("slots of one hash tag: got %d and %d", slot, got)
	}
	from := slot * 3 / 16384
	to := (from + 1) % 3
	for i := range 250 { // more than one round of a move
		reply(t, c.Servers[from], "OK", "SET", fmt.Sprintf("{queue}:%d", i), "v")
	}
	moved := fmt.Sprintf("MOVED %d %s", slot, c.Addrs()[from])
	if _, err := c.Servers[to].Do("GET", "{queue}:1"); err == nil || err.Error() != moved {
		t.Errorf("another node: got error %v, want %s", err, moved)
	}
	stop, counted := make(chan struct{}), make(chan int)
	go func() { counted <- count(c, "{queue}:count", stop) }()
	c.MoveSlot(slot, from, to)
	close(stop)
	n := <-counted
	moved = fmt.Sprintf("MOVED %d %s", slot, c.Addrs()[to])
	if _, err := c.Servers[from].Do("GET", "{queue}:1"); err == nil || err.Error() != moved {
		t.Errorf("the node that had it: got error %v, want %s", err, moved)
	}
	reply(t, c.Servers[to], int64(251), "CLUSTER", "COUNTKEYSINSLOT", fmt.Sprint(slot))
	reply(t, c.Servers[to], "v", "GET", "{queue}:249")
	reply(t, c.Servers[to], fmt.Sprint(n), "GET", "{queue}:count")
}

// count increments a key at whichever node takes it, until it is told to stop and has
// done so once, and answers how often.
func count(c *testredis.Nodes, key string, stop <-chan struct{}) (n int) {
	for {
		for _, s := range c.Servers {
			if _, err := s.Do("INCR", key); err == nil {
				n++
			}
		}
		select {
		case <-stop:
			if n > 0 {
				return n
			}
		default:
		}
	}
}

func TestSentinelsMakeTheReplicaAMaster(t *testing.T) {
	t.Parallel()
	w := testredis.Sentinel(t)
	old := w.Master()
	if old != w.Servers[0] || len(w.SentinelAddrs()) != 3 {
		t.Fatalf("got master %s of %d sentinels, want the first server and 3", old.Addr(), len(w.SentinelAddrs()))
	}
	reply(t, old, "OK", "SET", "k", "v")
	reply(t, old, int64(1), "WAIT", "1", "4000")
	now := w.KillMaster()
	if now != w.Servers[1] || w.Master() != now {
		t.Errorf("after the failover: got master %s, want %s", now.Addr(), w.Servers[1].Addr())
	}
	reply(t, now, "v", "GET", "k")
	reply(t, now, "OK", "SET", "k", "w")
	if _, err := old.Do("PING"); err == nil {
		t.Error("the old master: got an answer, want it dead")
	}
}

func TestAServerWithTLSKnowsItsClients(t *testing.T) {
	s, set := testredis.TLS(t)
	reply(t, s, "PONG", "PING")
	if !strings.HasPrefix(s.URL(), "rediss://127.0.0.1:") {
		t.Errorf("URL: got %q, want rediss://", s.URL())
	}
	ping := func(cfg *tls.Config) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", s.Addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = bufio.NewReader(c).ReadString('\n')
		return err
	}
	if err := ping(set.Client()); err != nil {
		t.Errorf("a client with a certificate: got %v", err)
	}
	if err := ping(set.Stranger()); err == nil {
		t.Error("a client without one: got an answer, want an error")
	}
	s.Restart()
	reply(t, s, "PONG", "PING")
}

func TestAUserHasTheRightsThatItsRulesGive(t *testing.T) {
	s := testredis.WithACL(t, "~mine:*", "+get", "+set")
	s.Restart() // keeps the user
	user, host, _ := strings.Cut(strings.TrimPrefix(s.URL(), "redis://"), "@")
	name, password, _ := strings.Cut(user, ":")
	if host != s.Addr() {
		t.Errorf("URL: got %q, want it to lead to %s", s.URL(), s.Addr())
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewReader(c)
	for _, step := range [][2]string{
		{"AUTH " + name + " " + password, "+OK"},
		{"SET mine:a 1", "+OK"},
		{"SET other:a 1", "-NOPERM"},
		{"DEL mine:a", "-NOPERM"},
	} {
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write([]byte(step[0] + "\r\n")); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); !strings.HasPrefix(got, step[1]) {
			t.Errorf("%s: got %q, error %v, want %s", step[0], got, err, step[1])
		}
	}
	reply(t, s, "1", "GET", "mine:a")
}
