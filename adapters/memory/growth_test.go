package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// The names, keys and sessions of a store come and go. None of these tests asks
// for nothing to remain: they ask for a bound that does not depend on how many
// there have been.
const (
	rounds = 2000
	bound  = 200
)

func (l lab) bounded(kinds ...string) {
	l.Helper()
	sizes := l.Footprint()
	for _, kind := range kinds {
		if sizes[kind] > bound {
			l.Errorf("%s after %d rounds: got %d, want at most %d", kind, rounds, sizes[kind], bound)
		}
	}
}

func TestSessionsAndEntriesAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		for i := range rounds {
			l.publish(task(fmt.Sprint(i)))
			if i%2 == 0 {
				l.one(fmt.Sprintf("dead %d", i))
				time.Sleep(time.Minute)
			}
			l.settle(stem.VerdictAck, l.one(fmt.Sprintf("live %d", i)))
		}
		time.Sleep(time.Hour)
		l.receive(request("last", 1))
		l.remembers(map[string]int{"queues": 1, "lanes": 1, "sessions": 1, "lapses": 1})
	})
}

func TestSessionsThatOnlyExtendAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		for i := range rounds {
			if _, err := l.Extend(l.ctx(), session(fmt.Sprint(i))); err != nil {
				t.Fatalf("extend: got error %v, want none", err)
			}
			time.Sleep(time.Minute)
		}
		l.bounded("sessions", "lapses")
	})
}

func TestAStormIsNotRememberedForEver(t *testing.T) {
	experiment(t, func(l lab) {
		const many = 20_000
		envs := tasks("a", many)
		for i := range envs {
			envs[i].Delay = time.Hour
			l.save(outcome(envs[i].ID, time.Minute))
		}
		l.publish(envs...)
		if got := l.Room(); got < 2*many {
			t.Fatalf("room in the storm: got %d, want %d at least", got, 2*many)
		}
		time.Sleep(time.Hour)
		for done := 0; done < many; {
			ds := l.receive(request("s", many))
			l.settle(stem.VerdictAck, ds...)
			done += len(ds)
		}
		for range many / 4 {
			l.loads("none", stem.ErrNoResult)
		}
		if got := l.Room(); got > many/10 {
			t.Errorf("room after the storm: got %d, want little", got)
		}
	})
}

func TestASessionThatLosesAllIsLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		patient := task("patient")
		patient.Visibility = time.Hour
		l.publish(task("plain"), patient)
		l.receive(request("dead", 2))
		time.Sleep(time.Minute)
		l.settle(stem.VerdictAck, l.one("live"))
		l.remembers(map[string]int{"queues": 1, "lanes": 1, "sessions": 2, "lapses": 2, "held": 1, "running": 1})
		time.Sleep(time.Hour)
		l.settle(stem.VerdictAck, l.one("live"))
		l.remembers(map[string]int{"queues": 1, "lanes": 1, "sessions": 1, "lapses": 1})
	})
}

func TestIdleQueuesAndLanesAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		for i := range rounds {
			named, queued := task("named"), task("queued")
			named.Task, queued.Queue = fmt.Sprintf("task %d", i), fmt.Sprintf("queue %d", i)
			l.publish(named, queued)
			req := request("s", 2)
			req.Queues = append(req.Queues, queued.Queue)
			l.settle(stem.VerdictAck, l.receive(req)...)
		}
		l.bounded("queues", "lanes")
	})
}

func TestRevocationsAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		for i := range rounds {
			for _, queue := range []string{"default", fmt.Sprint("queue ", i)} {
				r := stem.Revocation{Queue: queue, ID: fmt.Sprint(i), Family: i%2 == 0, For: time.Minute}
				if err := l.Revoke(l.ctx(), r); err != nil {
					t.Fatalf("revoke: got error %v, want none", err)
				}
			}
			time.Sleep(time.Second)
		}
		l.bounded("revocations", "queues")
	})
}

func TestAQueueWithARevocationIsKept(t *testing.T) {
	experiment(t, func(l lab) {
		rs := []stem.Revocation{{Queue: "one", ID: "a", For: time.Hour}, {Queue: "two", ID: "a", Family: true, For: time.Hour}}
		if err := l.Revoke(l.ctx(), rs...); err != nil {
			t.Fatalf("revoke: got error %v, want none", err)
		}
		for i := range rounds {
			other := task("other")
			other.Queue = fmt.Sprint(i)
			l.publish(other)
			req := request("s", 1)
			req.Queues = []string{other.Queue}
			l.settle(stem.VerdictAck, l.receive(req)...)
		}
		for _, r := range rs {
			late := task("a")
			late.Queue = r.Queue
			l.publish(late)
			req := request("s", 1)
			req.Queues = []string{r.Queue}
			if d := l.receive(req)[0]; !d.Revoked {
				t.Errorf("queue %s: got a task that is not revoked, want it revoked", r.Queue)
			}
		}
	})
}

func TestAQueueThatHoldsSomethingIsKept(t *testing.T) {
	experiment(t, func(l lab) {
		held, delayed, ready, keyed := task("held"), task("delayed"), task("ready"), task("keyed")
		held.Queue, delayed.Queue, ready.Queue, keyed.Queue = "held", "delayed", "ready", "keyed"
		delayed.Delay = time.Minute / 2
		keyed.DedupeKey, keyed.DedupeWindow = "key", time.Minute
		l.publish(held, delayed, ready, keyed)
		req := request("s", 1)
		req.Queues = []string{"held"}
		d := l.receive(req)
		req.Queues = []string{"keyed"}
		l.settle(stem.VerdictAck, l.receive(req)...)
		for i := range rounds {
			other := task("other")
			other.Queue = fmt.Sprint(i)
			l.publish(other)
			req.Queues = []string{other.Queue}
			l.settle(stem.VerdictAck, l.receive(req)...)
		}
		l.settle(stem.VerdictRelease, d...)
		time.Sleep(time.Minute / 2)
		req.Queues, req.Max = []string{"held", "delayed", "ready"}, 5
		if got, want := ids(l.receive(req)), "held delayed ready"; got != want {
			t.Errorf("received: got %q, want %q", got, want)
		}
		answers, err := l.Publish(l.ctx(), keyed)
		if err != nil || !answers[0].Duplicate {
			t.Errorf("published again: got %v, error %v, want a duplicate", answers, err)
		}
	})
}

func TestDedupeKeysAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		for i := range rounds {
			e := task(fmt.Sprint(i))
			e.DedupeKey, e.DedupeWindow = e.ID, time.Duration(1+i%3)*time.Minute
			l.publish(e)
			time.Sleep(2 * time.Second)
		}
		l.bounded("dedupe keys")
	})
}

func TestAnEmptiedLaneSetAsideIsForgotten(t *testing.T) {
	experiment(t, func(l lab) {
		l.publish(task("a"))
		d := l.one("dead")
		time.Sleep(time.Minute)
		req := request("s", 1)
		req.Tasks = knowing("another")
		l.receive(req)
		l.remembers(map[string]int{"queues": 1, "lanes": 1, "aside": 1, "due": 1, "sessions": 2, "lapses": 2, "held": 1})
		l.settle(stem.VerdictAck, d)
		l.remembers(map[string]int{"queues": 1, "lanes": 1, "sessions": 1, "lapses": 1})
	})
}
