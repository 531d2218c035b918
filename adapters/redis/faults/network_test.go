//go:build unix

package faults_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/faultnet"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// network is a site whose workers and clients are behind proxies. The test itself looks at the server directly.
type network struct {
	*site
	workers, clients *faultnet.Proxy
	server           *testredis.Server
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	n := &network{s, faultnet.Start(t, server.Addr(), s.random.Uint64()), faultnet.Start(t, server.Addr(), s.random.Uint64()), server}
	s.place = at("redis://" + n.workers.Addr())
	behind, err := redis.Open(t.Context(), "redis://"+n.clients.Addr(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { behind.Close() })
	if s.client, err = stem.NewClient(behind, stem.ClientConfig{}); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) set(f faultnet.Faults) {
	n.workers.Set(f)
	n.clients.Set(f)
}

// under runs a load with faults, which the answer of each may end, and balances the ledger.
func (n *network) under(want ledger.Expected, faults func(), opts ...stem.Option) {
	n.t.Helper()
	n.staff(2, orders{Lease: 10 * time.Second})
	enough := n.load("chore", opts...)
	n.progress(20)
	faults()
	n.set(faultnet.Faults{})
	n.progress(20)
	want.Tasks = enough()
	n.quiet()
	n.dismiss()
	n.balance(want)
}

// The server does what it is asked and the answer is lost: of a settlement, of a receive, of a publish. The
// settlement is not made twice, the deliveries are found again, and the publish is known by its id.
func TestRepliesAreLostAfterTheServerHasActed(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	settles := func(request []byte) bool { return bytes.Contains(request, []byte("stem:results:")) }
	receives := func(request []byte) bool { return bytes.Contains(request, []byte("xreadgroup")) }
	n.under(ledger.Expected{}, func() {
		for range 8 {
			n.eat(n.workers, settles)
			n.eat(n.workers, receives)
			n.eat(n.clients, nil)
			n.progress(1 + n.random.IntN(10))
		}
	})
}

func (n *network) eat(p *faultnet.Proxy, match func([]byte) bool) {
	n.t.Helper()
	before := p.Counts().Eaten
	p.EatReplies(1, match)
	n.until("a reply is eaten", patience, func() bool { return p.Counts().Eaten > before })
}

// One of a hundred pieces on the wire resets its connection.
func TestConnectionsAreResetAtRandom(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.under(ledger.Expected{}, func() {
		n.set(faultnet.Faults{Reset: 0.01})
		n.until("connections are reset", patience, func() bool { return n.workers.Counts().Resets >= 15 && n.clients.Counts().Resets >= 15 })
	})
}

// The server loses all connections and their clients do not hear of it: calls end at their timeouts, and nobody asks the server
// over and over to end a blocking read that it knows nothing of.
func TestConnectionsAreHalfOpen(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.under(ledger.Expected{Duplicates: 16}, func() {
		n.workers.HalfOpen()
		n.clients.HalfOpen()
		n.progress(50)
	})
	if asked := number(t, n.server, "commandstats", "cmdstat_client|unblock"); asked > 500 {
		t.Errorf("the server was asked %d times to end a read, want some dozens", asked)
	}
}

// Each way takes its time, now more and now less, or lets only so much through.
func TestTheNetworkIsSlow(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		faults faultnet.Faults
		bulk   int           // of each task
		least  time.Duration // that 50 tasks take
	}{
		"1ms with jitter":  {faultnet.Faults{Latency: time.Millisecond, Jitter: 5 * time.Millisecond}, 0, 2 * time.Millisecond},
		"50ms with jitter": {faultnet.Faults{Latency: 50 * time.Millisecond, Jitter: 50 * time.Millisecond}, 0, 100 * time.Millisecond},
		"250ms":            {faultnet.Faults{Latency: 250 * time.Millisecond}, 0, 500 * time.Millisecond},
		"64kB/s":           {faultnet.Faults{Bandwidth: 64_000}, 4_000, time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.under(ledger.Expected{}, func() {
				n.set(c.faults)
				began := time.Now()
				n.progress(50)
				if took := time.Since(began); took < c.least {
					t.Errorf("50 tasks took %v, want %v at least: the network was not slow", took, c.least)
				}
			}, stem.Header("bulk", strings.Repeat("x", c.bulk)))
		})
	}
}

// Nothing arrives for a time that is shorter than the leases: nothing is done twice.
func TestNothingArrivesForLessThanALease(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.under(ledger.Expected{}, func() {
		n.set(faultnet.Faults{BlackHole: true})
		yield(1500 * time.Millisecond)
	})
}

// Nothing of a worker arrives for longer than its lease: its handlers are cancelled for that reason before anybody else runs their
// tasks, and what it sends later is refused.
func TestNothingArrivesForLongerThanALease(t *testing.T) {
	t.Parallel()
	const tasks = 8
	n := newNetwork(t)
	cutOff := n.hire(orders{Lease: 2 * time.Second, Slots: tasks, Says: true})
	for i := range tasks {
		if err := n.enqueue(t.Context(), vigil, fmt.Sprint("vigil-", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	for range tasks {
		n.hears(cutOff, "held")
	}
	n.workers.Set(faultnet.Faults{BlackHole: true})
	heir := n.hire(orders{Place: at(n.server.URL()), Lease: time.Minute, Grace: time.Second, Slots: tasks, Says: true})
	for range tasks {
		if line := strings.Join(n.hears(cutOff, "ended"), " "); !strings.HasSuffix(line, stem.ErrLeaseLost.Error()) {
			t.Errorf("the worker that is cut off: got %q, want the cause %q", line, stem.ErrLeaseLost)
		}
		n.hears(heir, "held")
	}
	n.workers.Set(faultnet.Faults{})
	ended := make(map[string]bool)
	for _, e := range n.entries() {
		switch {
		case e.Kind == ledger.Effect && e.Worker == cutOff.Name:
			ended[e.ID] = true
		case e.Kind == tried && e.Worker == heir.Name && !ended[e.ID]:
			t.Errorf("%s ran elsewhere before it was cancelled where it ran first", e.ID)
		}
	}
	if code := cutOff.Terminate(patience); code != 0 {
		t.Errorf("the worker that was cut off ended with %d, want 0", code)
	}
	for _, e := range n.entries() {
		if e.Kind == ledger.Settled {
			t.Errorf("%+v was accepted, want nothing of the worker that was cut off to be", e)
		}
	}
}
