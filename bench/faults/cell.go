package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testprocess"
)

// cell is a system under a fault.
type cell struct {
	entrant entrant
	fault   fault
	config  config
}

// try lets it happen on a server, with workers and a ledger of its own.
func (c cell) try(ctx context.Context) (found row, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.config.bound+5*time.Minute)
	defer cancel()
	dir, err := testprocess.Folder(os.TempDir(), "stem-faults")
	if err != nil {
		return row{}, err
	}
	defer os.RemoveAll(dir)
	s := &site{cell: c, random: rand.New(rand.NewPCG(c.config.seed, 0)), path: filepath.Join(dir, "ledger"), acked: make(map[string]bool)}
	s.row = row{system: c.entrant.name, fault: c.fault.name, stale: "–"}
	if s.book, err = ledger.Open(s.path, "client"); err != nil {
		return row{}, err
	}
	defer s.book.Close()
	if s.server, err = startServer(c.entrant.store); err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, s.server.Stop()) }()
	if s.system, err = c.entrant.open(ctx, s.server.URL()); err != nil {
		return row{}, err
	}
	defer s.system.Close()
	defer func() { err = errors.Join(err, s.dismiss()) }()
	if err := c.fault.happen(ctx, s); err != nil {
		return row{}, err
	}
	err = s.balance(ctx)
	return s.row, err
}

// site is where a cell is tried.
type site struct {
	cell
	random  *rand.Rand
	server  server
	system  system
	path    string // of the ledger
	book    *ledger.Ledger
	journal journal
	crew    []*worker
	hired   int
	row     row

	mu    sync.Mutex
	acked map[string]bool
}

// hire adds a worker to the crew.
func (s *site) hire() (*worker, error) {
	s.hired++
	w, err := hire(orders{s.entrant.name, s.server.URL(), s.path, fmt.Sprint("worker-", s.hired)}, &s.journal)
	if err == nil {
		s.crew = append(s.crew, w)
	}
	return w, err
}

// dismiss ends all workers: those that do not leave when they are asked are killed.
func (s *site) dismiss() error {
	var all sync.WaitGroup
	errs := make([]error, len(s.crew))
	for i, w := range s.crew {
		all.Go(func() {
			_ = w.Continue() // it may sleep
			if w.end(syscall.SIGTERM) != nil {
				errs[i] = w.end(syscall.SIGKILL)
			}
		})
	}
	all.Wait()
	s.crew = nil
	return errors.Join(errs...)
}

// enqueue repeats until the store has acknowledged a task.
func (s *site) enqueue(ctx context.Context, t task) error {
	for {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.system.Enqueue(once, t)
		cancel()
		if err == nil {
			s.mu.Lock()
			s.acked[t.ID] = true
			s.mu.Unlock()
			return s.book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: t.ID})
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not acknowledged: %w", t.ID, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// work has three workers do a load, and waits until they are at it: a fault falls into work.
func (s *site) work(ctx context.Context) (enough func() error, err error) {
	for range 3 {
		if _, err := s.hire(); err != nil {
			return nil, err
		}
	}
	enough = s.load(ctx)
	if !within(ctx, time.Minute, func() bool { return len(s.journal.ended()) > 0 }) {
		return nil, errors.Join(errors.New("the workers do nothing"), enough())
	}
	return enough, nil
}

// load has four clients enqueue some 40 tasks a second that take 100 to 500 ms, until the answer is called.
func (s *site) load(ctx context.Context) (enough func() error) {
	const clients = 4
	stop := make(chan struct{})
	var all sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		random := rand.New(rand.NewPCG(s.random.Uint64(), 0))
		all.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				t := task{fmt.Sprintf("load-%d-%d", i, n), time.Duration(100+random.IntN(400)) * time.Millisecond}
				errs[i] = s.enqueue(ctx, t)
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	return func() error {
		close(stop)
		all.Wait()
		return errors.Join(errs...)
	}
}

// undone gives the acknowledged tasks that no worker has told the end of.
func (s *site) undone() (ids []string) {
	ended := s.journal.ended()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.acked {
		if _, ok := ended[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// within waits until something is so, and reports whether it was in time.
func within(ctx context.Context, bound time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(bound); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
	}
	return true
}

// beat waits until the next thing goes wrong.
func (s *site) beat() {
	d := s.config.beat
	time.Sleep(d/2 + time.Duration(s.random.Int64N(int64(d))))
}

// await waits until nothing is undone, for as long as the bound says.
func (s *site) await(ctx context.Context) {
	within(ctx, s.config.bound, func() bool { return len(s.undone()) == 0 })
}

// balance makes up the books.
func (s *site) balance(ctx context.Context) error {
	var kept int
	undone := s.undone()
	for _, id := range undone {
		is, err := s.system.Keeps(ctx, id)
		if err != nil {
			return err
		}
		if is {
			kept++
		}
	}
	if err := s.dismiss(); err != nil {
		return err
	}
	entries, err := ledger.Read(s.path)
	if err != nil {
		return err
	}
	report := ledger.Check(entries)
	s.row.tasks = report.Enqueued
	s.row.waiting = min(kept, len(report.Lost))
	s.row.lost = len(report.Lost) - s.row.waiting
	s.row.duplicates = report.Repeated()
	if report.Done == 0 {
		return errors.New("nothing was done, which proves nothing")
	}
	return nil
}
