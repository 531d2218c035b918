package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
)

// fault is something that goes wrong. Its number is that of docs/reliability.md.
type fault struct {
	name   string
	store  string // of which it is; "" is any
	happen func(ctx context.Context, s *site) error
}

var faults = []fault{
	{"1 workers are killed", "", workersAreKilled},
	{"2 a worker sleeps", "", workerSleeps},
	{"8 redis-server is killed", onRedis, func(ctx context.Context, s *site) error { return serverFalls(ctx, s, s.server.Kill) }},
	{"9 postgres is killed", onPostgres, func(ctx context.Context, s *site) error { return serverFalls(ctx, s, s.server.Kill) }},
	{"9 postgres is aborted", onPostgres, func(ctx context.Context, s *site) error {
		return serverFalls(ctx, s, s.server.(testpostgres.Running).Abort)
	}},
}

// workersAreKilled kills one of three workers again and again, while it has something in hand, and replaces it at once.
func workersAreKilled(ctx context.Context, s *site) error {
	enough, err := s.work(ctx)
	if err != nil {
		return err
	}
	fell := make(map[string]time.Time)
	for range s.config.kills {
		s.beat()
		i := s.random.IntN(len(s.crew))
		victim := s.crew[i]
		if !within(ctx, time.Minute, func() bool { return s.journal.holds(victim.name) }) {
			return fmt.Errorf("%s gets nothing to do", victim.name)
		}
		fell[victim.name] = time.Now()
		if err := victim.end(syscall.SIGKILL); err != nil {
			return err
		}
		s.crew = slices.Delete(s.crew, i, i+1)
		if _, err := s.hire(); err != nil {
			return err
		}
	}
	if err := enough(); err != nil {
		return err
	}
	s.await(ctx)
	for victim, at := range fell {
		s.row.rescues = append(s.row.rescues, s.journal.rescues(victim, at)...)
	}
	return nil
}

// workerSleeps stops a worker that holds tasks until another holds them, wakes it, lets its handlers succeed, and asks the store which
// of the tasks are still with the other.
func workerSleeps(ctx context.Context, s *site) error {
	sleeper, err := s.holder(ctx)
	if err != nil {
		return err
	}
	fell := time.Now()
	if err := sleeper.Pause(); err != nil {
		return err
	}
	heir, err := s.hire()
	if err != nil {
		return err
	}
	within(ctx, s.config.bound, func() bool { return s.journal.begun(heir.name) == slots })
	taken := s.journal.begun(heir.name)
	s.row.rescues = s.journal.rescues(sleeper.name, fell)
	if err := errors.Join(sleeper.Signal(syscall.SIGUSR1), sleeper.Continue()); err != nil {
		return err
	}
	if !within(ctx, time.Minute, func() bool { return len(s.undone()) == 0 }) {
		return errors.New("the sleeper does not end what it held")
	}
	time.Sleep(3 * time.Second) // in which it settles, or is refused
	running, err := s.system.Running(ctx)
	if err != nil {
		return err
	}
	if taken > 0 {
		s.row.stale = fmt.Sprintf("%d of %d", max(taken-running, 0), taken)
	}
	if err := heir.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	time.Sleep(time.Second) // in which the heir ends its own
	return nil
}

// holder hires a worker that has something in each slot, which it keeps until it is told otherwise.
func (s *site) holder(ctx context.Context) (*worker, error) {
	w, err := s.hire()
	if err != nil {
		return nil, err
	}
	for i := range slots {
		if err := s.enqueue(ctx, task{ID: fmt.Sprint("vigil-", i)}); err != nil {
			return nil, err
		}
	}
	if !within(ctx, time.Minute, func() bool { return s.journal.begun(w.name) == slots }) {
		return nil, errors.New("the sleeper does not hold all tasks")
	}
	return w, nil
}

// serverFalls takes the server away for 5 s in the midst of work. Rescues are those of the tasks that were acknowledged and undone, from
// when it is back until they are done.
func serverFalls(ctx context.Context, s *site, fall func() error) error {
	enough, err := s.work(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		s.beat()
	}
	if err := fall(); err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	undone := s.undone()
	if err := s.server.Restart(); err != nil {
		return err
	}
	back := time.Now()
	s.beat()
	if err := enough(); err != nil {
		return err
	}
	s.await(ctx)
	ended := s.journal.ended()
	for _, id := range undone {
		took := never
		if at, ok := ended[id]; ok {
			took = max(at.Sub(back), 0)
		}
		s.row.rescues = append(s.row.rescues, took)
	}
	return nil
}
