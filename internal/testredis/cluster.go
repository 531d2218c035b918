//go:build unix

package testredis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// slots is how many a cluster has.
const slots = 16384

// Nodes are the masters of a cluster of one test. Each can be killed and restarted by itself.
type Nodes struct {
	t testing.TB
	// Servers are in the order of their slots, of which each has an equal part at first.
	Servers []*Server
	ids     []string
}

// Cluster runs a cluster of n masters without replicas for this test, and waits until all
// agree that all slots are served. That takes two seconds: so long a master
// of Redis waits before it serves.
func Cluster(t testing.TB, n int) *Nodes {
	t.Helper()
	c := &Nodes{t: t}
	for range n {
		c.Servers = append(c.Servers, Start(t, Config{Args: []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}}))
	}
	for i, s := range c.Servers {
		c.ids = append(c.ids, fmt.Sprint(c.must(s, "CLUSTER", "MYID")))
		c.must(s, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		assign := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * slots / n; slot < (i+1)*slots/n; slot++ {
			assign = append(assign, strconv.Itoa(slot))
		}
		c.must(s, assign...)
		for _, other := range c.Servers[:i] {
			c.must(s, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.port))
		}
	}
	if err := await("the cluster is ready", patience, c.missing); err != nil {
		t.Fatal(err)
	}
	return c
}

// missing says what keeps the cluster from being ready.
func (c *Nodes) missing() error {
	for _, s := range c.Servers {
		info, err := s.Do("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_slots_ok:%d", slots), fmt.Sprintf("cluster_known_nodes:%d", len(c.Servers))} {
			if !strings.Contains(info.(string), want+"\r\n") {
				return fmt.Errorf("%s does not say %s: %s", s.Addr(), want, info)
			}
		}
	}
	return nil
}

// Addrs gives host and port of each node.
func (c *Nodes) Addrs() []string {
	var addrs []string
	for _, s := range c.Servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Slot gives the slot of a key.
func (c *Nodes) Slot(key string) int {
	c.t.Helper()
	return int(c.must(c.Servers[0], "CLUSTER", "KEYSLOT", key).(int64))
}

// MoveSlot moves a slot with its keys from one node to another, given by their places in
// Servers, as an operator does it: while clients are at work. It fails the test if that
// goes wrong, and is for the test's own goroutine.
func (c *Nodes) MoveSlot(slot, from, to int) {
	c.t.Helper()
	number := strconv.Itoa(slot)
	source, target := c.Servers[from], c.Servers[to]
	c.must(target, "CLUSTER", "SETSLOT", number, "IMPORTING", c.ids[from])
	c.must(source, "CLUSTER", "SETSLOT", number, "MIGRATING", c.ids[to])
	c.moveKeys(number, source, target)
	// The target first: as long as it does not own the slot, nobody would serve it.
	for _, s := range append([]*Server{target, source}, c.Servers...) {
		c.must(s, "CLUSTER", "SETSLOT", number, "NODE", c.ids[to])
	}
}

func (c *Nodes) moveKeys(slot string, source, target *Server) {
	c.t.Helper()
	for {
		keys := c.must(source, "CLUSTER", "GETKEYSINSLOT", slot, "100").([]any)
		if len(keys) == 0 {
			return
		}
		migrate := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.port), "", "0", "5000", "KEYS"}
		for _, key := range keys {
			migrate = append(migrate, key.(string))
		}
		c.must(source, migrate...)
	}
}

func (c *Nodes) must(s *Server, args ...string) any {
	c.t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		c.t.Fatalf("%s: %s: %v", s.Addr(), strings.Join(args[:min(len(args), 3)], " "), err)
	}
	return reply
}
