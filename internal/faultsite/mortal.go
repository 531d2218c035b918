//go:build unix

package faultsite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Life is a task with all that a life has: its first attempt fails, its second reports progress and enqueues a child.
var Life = stem.Define(stem.TaskSpec{Name: "fault.life"}, Text, Text)

func (h *hand) life(ctx context.Context, _ string) (string, error) {
	info, _ := stem.Info(ctx)
	if info.Attempt == 1 {
		return "", errors.New("the first attempt fails")
	}
	stem.Progress(ctx, 50, "half of it", nil)
	if _, err := Chore.Enqueue(ctx, "1ms", stem.WithID(info.ID+"/child"), stem.OnQueue(info.Queue)); err != nil {
		return "", err
	}
	return h.effect(ctx)
}

// mortal is a store at one of whose calls the process dies: each call has two such moments, before the store has heard of it and
// behind its answer.
type mortal struct {
	Store
	saving  stem.SavingSettler
	moments atomic.Int64
	at      int64
}

// newMortal gives a store that dies at the moment with that number, from 1; never at one that does not come.
func newMortal(store Store, at int) (*mortal, error) {
	saving, ok := stem.As[stem.SavingSettler](store)
	if !ok {
		return nil, errors.New("the store does not save and settle as one")
	}
	return &mortal{Store: store, saving: saving, at: int64(at)}, nil
}

func (m *mortal) moment() {
	if m.moments.Add(1) == m.at {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (m *mortal) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	m.moment()
	defer m.moment()
	return m.Store.Publish(ctx, envs...)
}

func (m *mortal) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	m.moment()
	defer m.moment()
	return m.Store.Receive(ctx, req)
}

func (m *mortal) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	m.moment()
	defer m.moment()
	return m.Store.Extend(ctx, s, held...)
}

func (m *mortal) Settle(ctx context.Context, ss ...stem.Settlement) error {
	m.moment()
	defer m.moment()
	return m.Store.Settle(ctx, ss...)
}

func (m *mortal) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	m.moment()
	defer m.moment()
	return m.saving.SaveAndSettle(ctx, ss...)
}

func (m *mortal) Save(ctx context.Context, rs ...stem.Result) error {
	m.moment()
	defer m.moment()
	return m.Store.Save(ctx, rs...)
}

// processDiesAtEachCall has the process of a worker die at each of the first moments of a life, and another one end it. A life has some twenty,
// which are more where the machine is slow: then the lease is renewed in between.
func processDiesAtEachCall(t *testing.T, s *Site) {
	const moments, atOnce = 24, 6
	deaths := 0
	for first := 1; first <= moments; first += atOnce {
		deaths += s.lives(first, atOnce)
	}
	if deaths < moments/2 {
		t.Errorf("%d of %d workers have died, want half of them at least", deaths, moments)
	}
	s.Balance(ledger.Expected{Tasks: 3 * moments, Duplicates: 3 * moments})
	s.RightResults()
}

// lives has workers die at so many moments from the first, each in a life and a queue of its own, and tells how many have.
func (s *Site) lives(first, n int) (deaths int) {
	s.t.Helper()
	const lease = 2 * time.Second
	victims := make(map[string]*Worker)
	for at := first; at < first+n; at++ {
		id, queue := fmt.Sprint("life-", at), fmt.Sprint("queue-", at)
		if err := s.Enqueue(s.t.Context(), Life, id, "", stem.OnQueue(queue), stem.MaxRetries(3), stem.Backoff(stem.FixedBackoff(10*time.Millisecond)),
			stem.OnSuccess(Chore.With("1ms", stem.OnQueue(queue)))); err != nil {
			s.t.Fatal(err)
		}
		s.expectLinks(id, 1)
		if err := s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id + "/child"}); err != nil {
			s.t.Fatal(err)
		}
		victims[queue] = s.Hire(Orders{Lease: lease, Slots: 1, Queue: queue, DieAt: at})
	}
	for queue, victim := range victims {
		s.Until(queue+" is empty or its worker dead", Patience, func() bool { return victim.Ended(0) || s.isQuiet(queue) })
		if !victim.Ended(0) {
			victim.Kill() // to leave has moments as well
			continue
		}
		deaths++
		s.Staff(1, Orders{Lease: lease, Queue: queue})
	}
	for queue := range victims {
		s.Until(queue+" is empty", Patience, func() bool { return s.isQuiet(queue) })
	}
	s.Dismiss()
	return deaths
}

// workersLeaveUnderLoad asks workers to stop at random moments, with graces that are none, short and long. Each exits in time, and what it
// could not finish runs elsewhere: nothing is lost or done twice, and nothing taken over.
func workersLeaveUnderLoad(t *testing.T, s *Site) {
	graces := []time.Duration{1, time.Second, 10 * time.Second}
	order := func(i int) Orders { return Orders{Lease: 5 * time.Second, Grace: graces[i%len(graces)]} }
	for i := range 3 {
		s.Staff(1, order(i))
	}
	enough := s.Load("chore")
	for i := range 10 * Scale() {
		s.Progress(1 + s.Random.IntN(100))
		n := s.Random.IntN(len(s.Crew))
		leaver := s.Crew[n]
		if code := leaver.Terminate(max(leaver.Grace, time.Second) + Patience/2); code != 0 {
			t.Errorf("%s with a grace of %v: got exit code %d, want 0", leaver.Name, leaver.Grace, code)
		}
		s.Crew[n] = s.Hire(order(i))
	}
	tasks := enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks})
	if n := s.Lines(Rescued); n > 0 {
		t.Errorf("%d deliveries were taken over as if their workers had died, want none", n)
	}
}
