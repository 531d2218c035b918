//go:build unix

package faultsite

import (
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/faultnet"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Network is a site whose workers and clients are behind proxies. The test itself looks at the server directly.
type Network struct {
	*Site
	Workers, Clients *faultnet.Proxy

	// Settles and Receives tell requests of workers that settle, and that ask for tasks.
	Settles, Receives func(request []byte) bool

	own string // the place without a proxy
}

// NewNetwork makes a network before a server, of which place gives the place by its own address or that of a proxy.
func NewNetwork(t *testing.T, open Open, addr string, place func(addr string) string) *Network {
	t.Helper()
	s := New(t, open, place(addr), place(addr))
	n := &Network{Site: s, Workers: faultnet.Start(t, addr, s.Random.Uint64()), Clients: faultnet.Start(t, addr, s.Random.Uint64()), own: s.Place}
	s.Place = place(n.Workers.Addr())
	behind, err := open(t.Context(), place(n.Clients.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { behind.Close() })
	s.Client = s.client(behind)
	return n
}

// Disturbances tells what becomes of tasks when the network fails.
func Disturbances(t *testing.T, start func(t *testing.T) *Network) {
	for promise, story := range map[string]func(*testing.T, *Network){
		"replies are lost after the server has acted":       repliesAreLost,
		"connections are reset at random":                   connectionsAreReset,
		"connections are half-open":                         connectionsAreHalfOpen,
		"nothing arrives for less than a lease":             nothingArrivesForLess,
		"nothing arrives for longer than a lease":           nothingArrivesForLonger,
		"the network is slow: 1 ms, with jitter":            slow(faultnet.Faults{Latency: time.Millisecond, Jitter: 5 * time.Millisecond}, 0, 2*time.Millisecond),
		"the network is slow: 50 ms, with jitter":           slow(faultnet.Faults{Latency: 50 * time.Millisecond, Jitter: 50 * time.Millisecond}, 0, 100*time.Millisecond),
		"the network is slow: 250 ms":                       slow(faultnet.Faults{Latency: 250 * time.Millisecond}, 0, 500*time.Millisecond),
		"the network is slow: 64 kB/s and tasks of 4,000 B": slow(faultnet.Faults{Bandwidth: 64_000}, 4_000, time.Second),
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			story(t, start(t))
		})
	}
}

// Set sets the faults of both proxies.
func (n *Network) Set(f faultnet.Faults) {
	n.Workers.Set(f)
	n.Clients.Set(f)
}

// Under is the site's, with a network that is well again when the faults have been.
func (n *Network) Under(want ledger.Expected, faults func(), opts ...stem.Option) {
	n.t.Helper()
	n.Site.Under(want, func() {
		faults()
		n.Set(faultnet.Faults{})
	}, opts...)
}

// repliesAreLost: the server does what it is asked and the answer is lost: of a settlement, of a receive, of a publish. The
// settlement is not made twice, the deliveries are found again, and the publish is known by its id.
func repliesAreLost(_ *testing.T, n *Network) {
	n.Under(ledger.Expected{}, func() {
		for range 8 {
			n.eat(n.Workers, n.Settles)
			n.eat(n.Workers, n.Receives)
			n.eat(n.Clients, nil)
			n.Progress(1 + n.Random.IntN(10))
		}
	})
}

func (n *Network) eat(p *faultnet.Proxy, match func([]byte) bool) {
	n.t.Helper()
	before := p.Counts().Eaten
	p.EatReplies(1, match)
	n.Until("a reply is eaten", Patience, func() bool { return p.Counts().Eaten > before })
}

// connectionsAreReset: one of a hundred pieces on the wire resets its connection.
func connectionsAreReset(_ *testing.T, n *Network) {
	n.Under(ledger.Expected{}, func() {
		n.Set(faultnet.Faults{Reset: 0.01})
		n.Until("connections are reset", Patience, func() bool { return n.Workers.Counts().Resets >= 15 && n.Clients.Counts().Resets >= 15 })
	})
}

// connectionsAreHalfOpen: the server loses all connections and their clients do not hear of it: calls end at their timeouts.
func connectionsAreHalfOpen(_ *testing.T, n *Network) {
	n.Under(ledger.Expected{Duplicates: 2 * InHand}, func() {
		n.Workers.HalfOpen()
		n.Clients.HalfOpen()
		n.Progress(50)
	})
}

// slow: each way takes its time, now more and now less, or lets only so much through. Fifty tasks take at least as long as is said.
func slow(f faultnet.Faults, bulk int, least time.Duration) func(*testing.T, *Network) {
	return func(t *testing.T, n *Network) {
		n.Under(ledger.Expected{}, func() {
			n.Set(f)
			began := time.Now()
			n.Progress(50)
			if took := time.Since(began); took < least {
				t.Errorf("50 tasks took %v, want %v at least: the network was not slow", took, least)
			}
		}, stem.Header("bulk", strings.Repeat("x", bulk)))
	}
}

// nothingArrivesForLess than a lease: nothing is done twice.
func nothingArrivesForLess(_ *testing.T, n *Network) {
	n.Under(ledger.Expected{}, func() {
		n.Set(faultnet.Faults{BlackHole: true})
		Yield(1500 * time.Millisecond)
	})
}

// nothingArrivesForLonger than the lease of a worker: its handlers are cancelled for that reason before anybody else runs their
// tasks, and what it sends later is refused.
func nothingArrivesForLonger(t *testing.T, n *Network) {
	const tasks = 8
	cutOff := n.Hire(Orders{Lease: 2 * time.Second, Slots: tasks, Says: true})
	n.EnqueueAll(tasks, Vigil, "vigil", "")
	for range tasks {
		n.Hears(cutOff, "held")
	}
	n.Workers.Set(faultnet.Faults{BlackHole: true})
	heir := n.Hire(Orders{Place: n.own, Lease: time.Minute, Grace: time.Second, Slots: tasks, Says: true})
	for range tasks {
		if line := strings.Join(n.Hears(cutOff, "ended"), " "); !strings.HasSuffix(line, stem.ErrLeaseLost.Error()) {
			t.Errorf("the worker that is cut off: got %q, want the cause %q", line, stem.ErrLeaseLost)
		}
		n.Hears(heir, "held")
	}
	n.Workers.Set(faultnet.Faults{})
	ended := make(map[string]bool)
	for _, e := range n.Entries() {
		switch {
		case e.Kind == ledger.Effect && e.Worker == cutOff.Name:
			ended[e.ID] = true
		case e.Kind == Tried && e.Worker == heir.Name && !ended[e.ID]:
			t.Errorf("%s ran elsewhere before it was cancelled where it ran first", e.ID)
		}
	}
	if code := cutOff.Terminate(Patience); code != 0 {
		t.Errorf("the worker that was cut off ended with %d, want 0", code)
	}
	for _, e := range n.Entries() {
		if e.Kind == ledger.Settled {
			t.Errorf("%+v was accepted, want nothing of the worker that was cut off to be", e)
		}
	}
}
