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

// processDiesAtEachCall has the process of a worker die at each moment of a life, and another one end it.
func processDiesAtEachCall(t *testing.T, s *Site) {
	const most, atOnce = 40, 8 // a life has some twenty
	deaths, survived := 0, 0
	for first := 1; survived == 0 && first < most; first += atOnce {
		type life struct {
			id, queue string
			victim    *Worker
		}
		var lives []life
		for at := first; at < first+atOnce; at++ {
			l := life{id: fmt.Sprint("life-", at), queue: fmt.Sprint("queue-", at)}
			l.victim = s.Hire(Orders{Lease: time.Second, Slots: 1, Queue: l.queue, DieAt: at})
			lives = append(lives, l)
			if err := s.Enqueue(t.Context(), Life, l.id, "", stem.OnQueue(l.queue), stem.MaxRetries(3), stem.Backoff(stem.FixedBackoff(10*time.Millisecond)),
				stem.OnSuccess(Chore.With("1ms", stem.OnQueue(l.queue)))); err != nil {
				t.Fatal(err)
			}
			s.expectLinks(l.id, 1)
			if err := s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: l.id + "/child"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range lives {
			s.Until(l.id+" is done or its worker dead", Patience, func() bool { return l.victim.Ended(0) || s.isQuiet(l.queue) })
			if !l.victim.Ended(0) {
				survived++
				l.victim.Kill() // to leave has moments as well
				continue
			}
			deaths++
			s.Staff(1, Orders{Lease: time.Second, Queue: l.queue})
		}
		for _, l := range lives {
			s.Until(l.id+" is done", Patience, func() bool { return s.isQuiet(l.queue) })
		}
		s.Dismiss()
	}
	if survived == 0 {
		t.Errorf("a life has %d moments or more, want fewer: what is it that workers ask for so often?", most)
	}
	tasks := 3 * deaths
	s.Balance(ledger.Expected{Tasks: tasks, Duplicates: tasks})
	s.RightResults()
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
