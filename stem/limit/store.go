package limit

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// Store is what limits stand on: the state of buckets and of who holds how many places. The stores of
// all adapters are one; the package adaptertest states each promise of it as a test.
//
// All methods may be called concurrently, and all that use the same store share
// its limits. The store's own clock decides, in whole microseconds. No method uses its context
// after it has returned. After Close of the adapter every method answers [stem.ErrClosed].
type Store interface {
	// TakeTurns takes a turn in each of several buckets, in order, as [State.Take] says, and
	// answers for each how long it is until that turn. Turns in one bucket that are
	// taken by one call are taken at one time. Each is atomic on its own. An error means that some
	// may have been taken; a caller does not repeat it.
	TakeTurns(ctx context.Context, turns ...Turn) ([]time.Duration, error)

	// Penalize lets nobody have a turn in a bucket for d from now, as [State.Penalize] says.
	Penalize(ctx context.Context, bucket Bucket, d time.Duration) error

	// HoldPlaces is Hold of a [stem.Limiter]: a session is granted max(what it holds, limit −
	// what others hold), and no more than it asks for. What a session was granted lapses
	// s.Lease after the call that granted it, or that named the task last; lapsed, it counts for nobody. Each task
	// is one atomic step.
	HoldPlaces(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error)
}

// Bucket names what has a rate: 1 to MaxBucket printable ASCII bytes, spaces among them.
type Bucket string

// MaxBucket is how long the name of a bucket may be.
const MaxBucket = 512

// Task gives the bucket of a task that has a rate limit, or of one key of it: the value of the header or field
// that its limit key names, "" where it has none. The task is named as it was enqueued.
func Task(name, key string) Bucket {
	if key == "" {
		return Bucket("task " + name)
	}
	return Bucket("task " + name + " " + stem.LimitKey(key))
}

// Queue gives the bucket of a queue that has a rate limit.
func Queue(name string) Bucket { return Bucket("queue " + name) }

// Validate refuses what is no bucket's name.
func (b Bucket) Validate() error {
	printable := true
	for i := range len(b) {
		printable = printable && b[i] >= ' ' && b[i] <= '~'
	}
	if b == "" || len(b) > MaxBucket || !printable {
		return &stem.OptionError{Option: "bucket", Value: fmt.Sprintf("%.60q", string(b)), Want: "1 to 512 printable ASCII bytes"}
	}
	return nil
}

// Turn is a wish for a turn in a bucket. Its durations are whole microseconds.
type Turn struct {
	Bucket Bucket
	// Interval is how far apart turns are, and Tolerance how much earlier than that
	// one may be taken (see [stem.Rate]).
	Interval, Tolerance time.Duration
	// Reserved tells that a turn was taken before: only a penalty makes it wait.
	Reserved bool
}

// Validate refuses what no store can count. Stores call it; limits never make such turns.
func (t *Turn) Validate() error {
	switch {
	case t.Interval < time.Microsecond || t.Interval%time.Microsecond != 0 || t.Interval > LongestWait:
		return &stem.OptionError{Option: "interval of a turn", Value: t.Interval.String(), Want: "whole microseconds from 1µs to 87,600h"}
	case t.Tolerance < 0 || t.Tolerance%time.Microsecond != 0 || t.Tolerance > LongestWait:
		return &stem.OptionError{Option: "tolerance of a turn", Value: t.Tolerance.String(), Want: "whole microseconds from 0 to 87,600h"}
	default:
		return t.Bucket.Validate()
	}
}

// Alike groups turns for a store that takes many at once: each group are the indices of turns in one
// bucket that differ in nothing. Taken group by group, those of each bucket are taken in order.
func Alike(turns []Turn) (groups [][]int) {
	last := make(map[Bucket]int) // the last group of each bucket
	for i := range turns {
		g, known := last[turns[i].Bucket]
		if !known || turns[groups[g][0]] != turns[i] {
			g = len(groups)
			groups = append(groups, nil)
			last[turns[i].Bucket] = g
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
