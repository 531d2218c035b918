package adaptertest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/memory"
)

// openMemory gives a store that keeps every promise.
func openMemory(t testing.TB) adaptertest.Stores {
	store := &memory.Store{}
	t.Cleanup(func() { _ = store.Close() })
	return adaptertest.Stores{
		Broker: store, Backend: store, Close: store.Close,
		Advance: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
	}
}

// mutant is a store with one fault, and the promises that it must break.
type mutant struct {
	does   string
	fault  func(s *adaptertest.Stores)
	breaks []string
}

func mutants() []mutant {
	return slices.Concat(
		publishMutants, receiveMutants, schemaMutants, atMostMutants, settleMutants, lifeMutants, closeMutants, resultMutants,
		capabilityMutants, revokeMutants, pauseMutants,
		limitMutants,
		presenceMutants, controlMutants, uniqueMutants,
		transactionMutants, opsMutants,
	)
}

// A suite that cannot fail proves nothing: each mutant breaks its promises.
func TestMutantsBreakPromises(t *testing.T) {
	for _, m := range mutants() {
		h := adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
			stores := openMemory(t)
			m.fault(&stores)
			return stores
		}}
		for _, name := range m.breaks {
			t.Run(m.does+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := record(t, func(tb testing.TB) {
						if !adaptertest.Examine(tb, h, name) {
							t.Errorf("got no such promise to examine, want %q", name)
						}
					})
					if len(r.failures) == 0 {
						t.Errorf("a store that %s: got a promise kept, want it broken", m.does)
					}
					t.Log(r.failures)
				})
			})
		}
	}
}

// A promise that no mutant breaks may be one that no store can break.
func TestEveryPromiseHasItsMutant(t *testing.T) {
	broken := map[string]bool{}
	for _, m := range mutants() {
		for _, name := range m.breaks {
			broken[name] = true
		}
	}
	for _, name := range adaptertest.PromiseNames() {
		if !broken[name] {
			t.Errorf("%s: got no mutant, want one that breaks it", name)
		}
	}
}

// Names are the addresses of promises.
func TestPromiseNamesDiffer(t *testing.T) {
	names := adaptertest.PromiseNames()
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
		t.Errorf("got %d different names, want %d", n, len(names))
	}
}

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// record runs f to its end, also where that is a FailNow, and its clean-ups.
func record(t testing.TB, f func(tb testing.TB)) *recorder {
	r := &recorder{TB: t}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.clean()
		f(r)
	}()
	<-done
	return r
}

func (r *recorder) clean() {
	r.cancel()
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
