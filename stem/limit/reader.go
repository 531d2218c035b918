package limit

import (
	"context"
	"time"
)

// Reader shows what stands in a store of limits, without changing it: a capability of a [Store] (see [stem.As]), for operators. The
// stores of all adapters have it. Both methods answer in the order that they were asked in, may be called concurrently, answer
// [stem.ErrClosed] after Close of the adapter, and show a moment: it may have passed.
type Reader interface {
	// ReadBuckets answers the state of buckets, with times that count from now, by the store's clock: 0 where one is over. So
	// Take(0, turn) on it tells how long a turn would have to wait.
	ReadBuckets(ctx context.Context, buckets ...Bucket) ([]State, error)

	// ReadPlaces answers who holds places of tasks, in the order of their sessions; what has lapsed is not among them.
	ReadPlaces(ctx context.Context, tasks ...string) ([][]Holder, error)
}

// Holder is a session that holds places of a task.
type Holder struct {
	Session string
	// N is how many, at least 1.
	N int
	// Lapses is how long it is until they lapse, unless the session is heard of before.
	Lapses time.Duration
}
