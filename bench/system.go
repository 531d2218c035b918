package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// system is one of those compared, as a program uses it: connected to a server.
// Tasks have numbers, which travel in payloads of 120 bytes.
type system interface {
	// Enqueue enqueues a task by the system's call for one.
	Enqueue(ctx context.Context, n int32) error
	// EnqueueMany enqueues tasks by the system's call for many, or by a loop where it has none.
	// A due that is not zero is when they shall run.
	EnqueueMany(ctx context.Context, from, to int32, due time.Time) error
	// Work runs tasks of queues until ctx ends: ran is called where a handler begins. Queues nil and
	// slots 0 are the system's defaults.
	Work(ctx context.Context, queues []string, slots int, ran func(n int32)) error
	// Left tells how many tasks the store has that are not settled.
	Left(ctx context.Context) (int64, error)
}

// The systems.
const (
	ours         = "stem"          // results are stored and fenced
	oursNoResult = "stem-noresult" // tasks are fenced, results ignored
	theirs       = "asynq"
	theirsQuick  = "asynq-5ms" // asks every 5 ms whether there is something
	raw          = "raw"       // a hand-written loop over streams: the limit of the store
	rawFenced    = "raw-fenced"
)

func newSystem(ctx context.Context, name, addr string, t *trips) (system, error) {
	switch name {
	case ours, oursNoResult:
		return newStem(ctx, addr, name == oursNoResult, t)
	case theirs:
		return newAsynq(addr, 0, t), nil
	case theirsQuick:
		return newAsynq(addr, 5*time.Millisecond, t), nil
	case raw:
		return newRaw(addr, t), nil
	case rawFenced:
		return newFenced(ctx, addr, t)
	}
	return nil, fmt.Errorf("there is no system %q", name)
}

const (
	payloadSize = 120
	firstTask   = 1 << 20 // so that all numbers are of one length in MessagePack
)

// filler is what Stem's args carry beside the number.
var filler = strings.Repeat("x", 105)

// payload is what the others carry.
func payload(n int32) []byte {
	b := make([]byte, payloadSize)
	binary.BigEndian.PutUint32(b, uint32(n))
	return b
}

func number(payload []byte) int32 { return int32(binary.BigEndian.Uint32(payload)) }

// trips counts the round trips of a driver: a pipeline is one.
type trips struct{ atomic.Int64 }

var _ redis.Hook = (*trips)(nil)

// DialHook leaves connections alone.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a command.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.Add(1)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts a pipeline.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.Add(1)
		return next(ctx, cmds)
	}
}
