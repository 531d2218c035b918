//go:build unix

// Package faultsite is where tests let things go wrong around a store: workers are processes of their own, which can be killed, put to
// sleep and poisoned, and what was done is in a ledger that no store has a part in. What any store must survive is told
// here once, by [Processes] and [Disturbances]; what only one kind of server can suffer is told beside its adapter. It is for the
// tests of this module; no user needs it.
//
// A site prints its seed; STEM_TEST_FAULT_SEED repeats one. What goes on in other processes does not repeat.
package faultsite

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Patience is how long something may take that is no promise.
const Patience = time.Minute

// Store is what a site needs of a store.
type Store interface {
	stem.Broker
	stem.Backend
	stem.QueueCounter
	stem.DeadLetterLister
	limit.Store
	Close() error
}

// Open opens the store at a place, such as a URL: the adapter's tests know what it says.
type Open func(ctx context.Context, place string) (Store, error)

// Site is a store, workers at it, and the ledger that all of them write.
type Site struct {
	Random *rand.Rand
	Place  string // where workers find the store
	Book   *ledger.Ledger
	Store  Store
	Client *stem.Client
	Crew   []*Worker

	t       *testing.T
	path    string // of the ledger
	workers int    // that were started
	row     Row
}

// Worker is a worker process.
type Worker struct {
	*crashworker.Worker
	Orders
}

// New makes a site at a store that is already there. Workers find it at one place, and the test itself at another, which may
// be the same.
func New(t *testing.T, open Open, workers, own string) *Site {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text, ok := os.LookupEnv("STEM_TEST_FAULT_SEED"); ok {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("STEM_TEST_FAULT_SEED: %v", err)
		}
	}
	t.Logf("STEM_TEST_FAULT_SEED=%d", seed)
	s := &Site{
		Random: rand.New(rand.NewPCG(seed, 0)), Place: workers,
		t: t, path: filepath.Join(t.TempDir(), "ledger"),
	}
	var err error
	if s.Book, err = ledger.Open(s.path, "test"); err != nil {
		t.Fatal(err)
	}
	if s.Store, err = open(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Store.Close(); s.Book.Close() })
	s.Client = s.client(s.Store)
	s.logRow(seed)
	return s
}

func (s *Site) client(store Store) *stem.Client {
	s.t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// Hire starts a worker. What the orders leave open is: the site's place, a lease of 2 s and 8 slots.
func (s *Site) Hire(o Orders) *Worker {
	s.t.Helper()
	s.workers++
	o.Book, o.Name = s.path, fmt.Sprint("worker-", s.workers)
	if o.Place == "" {
		o.Place = s.Place
	}
	if o.Lease == 0 {
		o.Lease = 2 * time.Second
	}
	if o.Slots == 0 {
		o.Slots = 8
	}
	args, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return &Worker{crashworker.Start(s.t, "work", string(args)), o}
}

// Staff hires n workers for chores.
func (s *Site) Staff(n int, o Orders) {
	s.t.Helper()
	for range n {
		s.Crew = append(s.Crew, s.Hire(o))
	}
}

// Dismiss lets the workers go, which must do so in good order: then the ledger is complete.
func (s *Site) Dismiss() {
	s.t.Helper()
	for _, w := range s.Crew {
		if code := w.Terminate(Patience); code != 0 {
			s.t.Errorf("%s was asked to stop: got exit code %d, want 0", w.Name, code)
		}
	}
	s.Crew = nil
}

// Until waits until something is so.
func (s *Site) Until(what string, within time.Duration, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(within); !is(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %v: %s", within, what)
		}
		Yield(5 * time.Millisecond)
	}
}

// Yield lets others run.
func Yield(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// Outage is how long a server is away, or workers are overloaded, where that is what a test is about: STEM_TEST_OUTAGE, or 5 s.
func Outage() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("STEM_TEST_OUTAGE")); err == nil {
		return d
	}
	return 5 * time.Second
}
