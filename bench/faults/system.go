package main

import (
	"context"
	"time"
)

// task is what all systems carry.
type task struct {
	ID string `json:"id"`
	// Takes is how long it takes; 0 is until its worker is told to end what it holds.
	Takes time.Duration `json:"takes"`
}

// Kind names the task for River.
func (task) Kind() string { return taskName }

const (
	taskName = "fault.task"
	slots    = 8 // of each worker
)

// system is one of those compared, connected to a server.
type system interface {
	// Enqueue may be repeated with the same task until it succeeds, in the way that the system has for that.
	Enqueue(ctx context.Context, t task) error
	// Work runs tasks until ctx ends.
	Work(ctx context.Context, run func(task)) error
	// Running tells how many tasks the store believes to be with a worker.
	Running(ctx context.Context) (int, error)
	// Keeps tells whether the store has a task that is not done.
	Keeps(ctx context.Context, id string) (bool, error)
	Close()
}

// entrant is a system with settings.
type entrant struct {
	name  string
	store string
	open  func(ctx context.Context, url string) (system, error)
}

const (
	onRedis    = "Redis"
	onPostgres = "Postgres"
)

var entrants = []entrant{
	{"stem", onRedis, openStemRedis},
	{"asynq", onRedis, openAsynq},
	{"asynq-1s", onRedis, openAsynqQuick},
	{"pg-stem", onPostgres, openStemPostgres},
	{"river", onPostgres, openRiver},
	{"river-10s", onPostgres, openRiverQuick},
}

func entrantOf(name string) entrant {
	for _, e := range entrants {
		if e.name == name {
			return e
		}
	}
	panic("faults: no system is called " + name)
}
