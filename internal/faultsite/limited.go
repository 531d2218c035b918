//go:build unix

package faultsite

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// mostNarrow is how many runs of Narrow there may be at once.
const mostNarrow = 3

// Narrow is a task of which there may be three runs at once, in all workers that are Limited. A run takes as long as its args say, but
// one that comes after an interruption no time at all.
var Narrow = stem.Define(stem.TaskSpec{Name: "fault.narrow", Options: []stem.Option{stem.Concurrency(mostNarrow)}}, Text, Text)

func (h *hand) narrow(ctx context.Context, span string) (string, error) {
	d, err := time.ParseDuration(span)
	if err != nil {
		return "", stem.Permanent(err)
	}
	info, err := h.begin(ctx)
	if err != nil {
		return "", err
	}
	if info.Interruptions > 0 {
		d = 0
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return h.effect(ctx)
}

// killed: a worker is dead, and none of its runs goes on.
const killed ledger.Kind = "killed"

// Workers are killed while they hold places of a task whose runs are limited. Never are there more runs at once than may be, and
// the places of the dead are free within a lease and 5 s.
func placesOfAKilledWorker(t *testing.T, s *Site) {
	const lease, tasks = 2 * time.Second, 60
	o := Orders{Lease: lease, Limited: true}
	victim := s.Hire(o)
	s.EnqueueAll(mostNarrow, Narrow, "long", "1h")
	s.Until("all places are taken", Patience, func() bool { return s.Lines(Tried) == mostNarrow })
	s.Staff(3, o)
	s.EnqueueAll(tasks, Narrow, "short", "20ms")
	Yield(lease)
	if began := s.Lines(Tried); began != mostNarrow {
		t.Errorf("got %d runs while the places were taken, want %d", began, mostNarrow)
	}

	s.kill(victim)
	dead := time.Now()
	s.Until("the places of the dead are free", Patience, func() bool { return s.Lines(Tried) >= 2*mostNarrow })
	if took := time.Since(dead); took > lease+5*time.Second {
		t.Errorf("got the places of the dead after %v, want them within %v", took, lease+5*time.Second)
	} else {
		t.Logf("lease %v: the places of the dead were free after %v", lease, took)
	}

	s.Until("work goes on", Patience, func() bool { return s.Lines(ledger.Settled) >= tasks/3 })
	i := s.Random.IntN(len(s.Crew))
	s.kill(s.Crew[i])
	s.Crew[i] = s.Hire(o)
	s.Until("all is done", Patience, func() bool { return len(s.done()) == tasks+mostNarrow })
	s.Dismiss()
	if most := s.mostAtOnce(); most != mostNarrow {
		t.Errorf("got %d runs at once at most, want %d", most, mostNarrow)
	}
	s.NoneDead()
}

// kill kills a worker, and enters that into the ledger.
func (s *Site) kill(w *Worker) {
	s.t.Helper()
	w.Kill()
	if err := s.Book.Append(ledger.Entry{Kind: killed, ID: w.Name}); err != nil {
		s.t.Fatal(err)
	}
}

// done gives the tasks that have had their effect.
func (s *Site) done() map[string]bool {
	s.t.Helper()
	done := make(map[string]bool)
	for _, e := range s.Entries() {
		if e.Kind == ledger.Effect {
			done[e.ID] = true
		}
	}
	return done
}

// mostAtOnce tells how many runs there have been at once at most: from when one says that it has begun until it has had its effect,
// or its worker was dead.
func (s *Site) mostAtOnce() (most int) {
	s.t.Helper()
	running := make(map[string]string) // the workers that run tasks
	for _, e := range s.Entries() {
		switch e.Kind {
		case Tried:
			running[e.ID] = e.Worker
		case ledger.Effect:
			delete(running, e.ID)
		case killed:
			maps.DeleteFunc(running, func(_, worker string) bool { return worker == e.ID })
		}
		most = max(most, len(running))
	}
	return most
}
