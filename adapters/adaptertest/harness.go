package adaptertest

import (
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// Harness is all that the suite must know about an adapter.
type Harness struct {
	// Open gives a fresh, empty store. It is called once per promise, and once per
	// program of RunModel, where it should cost little more than a call: a prefix or a schema
	// of its own in a server that runs already. It registers its own clean-up with t.
	Open func(t testing.TB) Stores
	// Within runs one promise in the surroundings it needs, for example
	// synctest.Test for a store that lives on the Go clock, or a function that
	// calls t.Parallel first. Default: it is run as it is.
	Within func(t *testing.T, promise func(t *testing.T))
	// Patience is how long an answer may take before the promise counts as
	// broken. Keep it well under a minute, the suite's session lease.
	// Default: 10 s.
	Patience time.Duration
}

// Stores is one connection to one store.
type Stores struct {
	// Broker and Backend are what is examined. One of them may be nil where
	// only the other one's half of the suite is run.
	Broker  stem.Broker
	Backend stem.Backend
	// Advance moves the store's clock forward by d, for every connection to
	// it, and returns when whoever waits for that clock has been woken. In a
	// synctest bubble that is time.Sleep and then synctest.Wait; elsewhere it
	// is an offset of the store's clock that only tests set.
	Advance func(d time.Duration)
	// Close closes this connection. The suite calls it at most once; what Open
	// registered runs after it none the less.
	Close func() error
	// Peer opens a second connection to the same store, as another process
	// would. Where it is nil, the only connection is used in its place.
	Peer func(t testing.TB) Stores
	// Begin begins a transaction as the store's users do, where Broker and Backend are one
	// store, with a stem.SavingSettler, that has transactions; else it is nil. At the end of t
	// it rolls back what has not ended.
	Begin func(t testing.TB) Transaction
}

// Transaction is a transaction of a store's user. Its Publisher and its Completer are what
// the adapter makes of it.
type Transaction struct {
	stem.Publisher
	stem.Completer
	// Commit and Rollback end it. Either is called at most once, and one of them only.
	Commit, Rollback func() error
}

// Run examines an adapter that is broker and backend: every promise is a
// subtest of "Broker", "Backend" or "Capabilities".
func Run(t *testing.T, h Harness) {
	t.Run("Broker", func(t *testing.T) { RunBroker(t, h) })
	t.Run("Backend", func(t *testing.T) { RunBackend(t, h) })
	t.Run("Capabilities", func(t *testing.T) { RunCapabilities(t, h) })
}

// RunBroker examines what [stem.Broker] promises.
func RunBroker(t *testing.T, h Harness) { h.runAll(t, brokerPromises()) }

// RunBackend examines what [stem.Backend] promises.
func RunBackend(t *testing.T, h Harness) { h.runAll(t, backendPromises()) }

// RunCapabilities examines those capabilities that the stores have and skips
// the others by name: they are optional.
func RunCapabilities(t *testing.T, h Harness) { h.runAll(t, capabilityPromises()) }

func (h Harness) runAll(t *testing.T, promises []promise) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			var missing string
			h.within(t, func(t *testing.T) { missing = h.examine(t, p) })
			if missing != "" {
				// Skipped out here: a skip inside a bubble looks like a pass.
				t.Skipf("the adapter has no %s (which is optional)", missing)
			}
		})
	}
}

// within runs a part of the suite in the surroundings that the store needs.
func (h Harness) within(t *testing.T, run func(t *testing.T)) {
	if h.Within == nil {
		run(t)
		return
	}
	h.Within(t, run)
}

// examine checks one promise on a fresh store. It names the capability without
// which there is nothing to check, if one is missing.
func (h Harness) examine(tb testing.TB, p promise) (missing string) {
	x := newExam(tb, h)
	if p.needs.in != nil && !p.needs.in(x.Stores) {
		return p.needs.name
	}
	p.check(x)
	return ""
}

// promise is one rule of a contract and how to find out whether it holds.
type promise struct {
	name  string
	check func(x *exam)
	// needs is the capability that the rule is about; the zero value needs none.
	needs capability
}

// capability tells whether the stores have an optional interface.
type capability struct {
	name string
	in   func(s Stores) bool
}

func brokerHas[T any](name string) capability {
	return capability{name, func(s Stores) bool { _, ok := stem.As[T](s.Broker); return ok }}
}

func backendHas[T any](name string) capability {
	return capability{name, func(s Stores) bool { _, ok := stem.As[T](s.Backend); return ok }}
}
