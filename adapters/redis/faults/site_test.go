//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// patience is how long something may take that is no promise.
const patience = time.Minute

// site is where a test lets things go wrong: a store, workers at it, and the ledger that all of them write.
type site struct {
	t      *testing.T
	random *rand.Rand
	place  Place // where workers find the store
	path   string
	book   *ledger.Ledger
	store  store
	client *stem.Client

	workers int // that were started
	crew    []*hired
}

// hired is a worker process.
type hired struct {
	*crashworker.Worker
	orders
}

// newSite makes a site at a store that is already there. Workers go by way, and the test itself by own.
func newSite(t *testing.T, way, own Place) *site {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text, ok := os.LookupEnv("STEM_TEST_FAULT_SEED"); ok {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("STEM_TEST_FAULT_SEED: %v", err)
		}
	}
	t.Logf("STEM_TEST_FAULT_SEED=%d", seed)
	s := &site{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), place: way,
		path: filepath.Join(t.TempDir(), "ledger"),
	}
	var err error
	if s.book, err = ledger.Open(s.path, "test"); err != nil {
		t.Fatal(err)
	}
	if s.store, err = own.open(t.Context(), redis.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close(); s.book.Close() })
	if s.client, err = stem.NewClient(s.store, stem.ClientConfig{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func at(url string) Place { return Place{URL: url} }

// hire starts a worker. What the orders leave open is: a lease of 2 s and 8 slots.
func (s *site) hire(o orders) *hired {
	s.t.Helper()
	s.workers++
	o.Book, o.Name = s.path, fmt.Sprint("worker-", s.workers)
	if o.URL == "" {
		o.Place = s.place
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
	return &hired{crashworker.Start(s.t, "work", string(args)), o}
}

// staff hires n workers for chores.
func (s *site) staff(n int, o orders) {
	s.t.Helper()
	for range n {
		s.crew = append(s.crew, s.hire(o))
	}
}

// enqueue enqueues a task until the store has acknowledged it, which its id makes safe, and enters it into the ledger.
func (s *site) enqueue(ctx context.Context, task *stem.TaskDefinition[string, string], id, args string, opts ...stem.Option) error {
	for {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := task.Via(s.client).Enqueue(once, args, append([]stem.Option{stem.WithID(id)}, opts...)...)
		cancel()
		if err == nil {
			return s.book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id})
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		yield(5 * time.Millisecond)
	}
}

// load has eight clients enqueue chores of up to 20 ms, some 800 a second, until the answer is called, which waits for
// what is not acknowledged yet and tells how many there are.
func (s *site) load(name string, opts ...stem.Option) (enough func() int) {
	var count atomic.Int64
	var clients sync.WaitGroup
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*patience+outage())
	stop := make(chan struct{})
	for range 8 {
		random := rand.New(rand.NewPCG(s.random.Uint64(), 0))
		clients.Go(func() {
			for {
				id := fmt.Sprint(name, "-", count.Add(1))
				if err := s.enqueue(ctx, chore, id, fmt.Sprint(1+random.IntN(20), "ms"), opts...); err != nil {
					s.t.Errorf("an enqueue was never acknowledged: %v", err)
					return
				}
				select {
				case <-stop:
					return
				default:
					yield(10 * time.Millisecond)
				}
			}
		})
	}
	return func() int {
		close(stop)
		clients.Wait()
		cancel()
		return int(count.Load())
	}
}

// entries reads the ledger.
func (s *site) entries() []ledger.Entry {
	s.t.Helper()
	entries, err := ledger.Read(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// lines counts the entries of a kind.
func (s *site) lines(kind ledger.Kind) int {
	s.t.Helper()
	data, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return bytes.Count(data, []byte(`{"kind":"`+string(kind)+`"`))
}

// progress waits until so many more settlements have been accepted: a fault falls into work.
func (s *site) progress(n int) {
	s.t.Helper()
	before := s.lines(ledger.Settled)
	s.until("work goes on", patience, func() bool { return s.lines(ledger.Settled) >= before+n })
}

// quiet waits until the queue is empty.
func (s *site) quiet() {
	s.t.Helper()
	s.until("the queue is empty", patience, s.isQuiet)
}

func (s *site) isQuiet() bool {
	counts, err := s.store.CountQueue(s.t.Context(), stem.DefaultQueue)
	return err == nil && counts.Ready+counts.Delayed+counts.Running == 0
}

// until waits until something is so.
func (s *site) until(what string, within time.Duration, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(within); !is(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %v: %s", within, what)
		}
		yield(5 * time.Millisecond)
	}
}

// yield lets others run.
func yield(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// dismiss lets the workers go, which must do so in good order: then the ledger is complete.
func (s *site) dismiss() {
	s.t.Helper()
	for _, w := range s.crew {
		if code := w.Terminate(patience); code != 0 {
			s.t.Errorf("%s was asked to stop: got exit code %d, want 0", w.Name, code)
		}
	}
	s.crew = nil
}

// balance checks the ledger, and that nothing was taken for poison.
func (s *site) balance(want ledger.Expected) ledger.Report {
	s.t.Helper()
	report := ledger.Check(s.entries())
	s.t.Log(report)
	report.Assert(s.t, want)
	s.noneDead()
	return report
}

func (s *site) noneDead() {
	s.t.Helper()
	dead, err := s.store.DeadLetters(s.t.Context(), stem.DefaultQueue, 10)
	if err != nil || len(dead) > 0 {
		s.t.Errorf("got dead letters %v, %v, want none", dead, err)
	}
}
