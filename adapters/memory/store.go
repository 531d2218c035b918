// Package memory is the adapter that keeps everything in the memory of one
// process: broker and result backend in one value, with every capability that
// the contracts know. It is the embedded default, what tests run on, and the
// reference: where a contract leaves a question open, the answer is what this
// package does.
//
//	store := new(memory.Store)
//	defer store.Close()
//
// Its durability class is memory: what it holds ends with the process. Nothing
// is copied that is immutable: the envelopes that it lends and the results that
// it answers share payloads and headers with whoever gave them, and are
// read-only.
//
// It runs on the standard clock, with one timer at most and no goroutine
// between two calls, so that a program on it lives well in a synctest bubble,
// where a day takes microseconds. A store belongs to the bubble that it is first
// used in.
//
// To read the package, follow an envelope: entry.go (what is known about one),
// queue.go and lane.go (where it waits), receiver.go (who waits for it),
// session.go (who holds it), settlement.go (how that ends), revocation.go (what shall not run), unique.go (what there is once), pause.go (queues that rest). A result's way is
// backend.go and shelf.go; limit.go keeps how often and how many at once, presence.go what workers say of themselves and
// command.go what is said to them. What an operator sees and changes is listing.go, glance.go and change.go.
package memory

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
	"github.com/gostem/gostem/stem/ops"
)

var (
	_ stem.Broker           = (*Store)(nil)
	_ stem.Backend          = (*Store)(nil)
	_ stem.SavingSettler    = (*Store)(nil)
	_ stem.ResultWatcher    = (*Store)(nil)
	_ stem.DeadLetterLister = (*Store)(nil)
	_ stem.QueueCounter     = (*Store)(nil)
	_ stem.RevocationStore  = (*Store)(nil)
	_ stem.QueuePauser      = (*Store)(nil)
	_ stem.UniqueKeeper     = (*Store)(nil)
	_ stem.PresenceKeeper   = (*Store)(nil)
	_ stem.PresenceLister   = (*Store)(nil)
	_ stem.CommandPoster    = (*Store)(nil)
	_ stem.CommandReceiver  = (*Store)(nil)
	_ limit.Store           = (*Store)(nil)
	_ ops.QueueLister       = (*Store)(nil)
	_ ops.QueueGauger       = (*Store)(nil)
	_ ops.TaskLister        = (*Store)(nil)
	_ ops.TaskChanger       = (*Store)(nil)
	_ ops.DeadLetterKeeper  = (*Store)(nil)
	_ ops.ResultAnnotator   = (*Store)(nil)
)

// The defaults of the store's bounds.
const (
	defaultMaxResults     = 100_000
	defaultMaxDeadLetters = 10_000
)

// Store is a broker and a result backend. The zero value is an empty store,
// ready for use; it must not be copied, nor its fields be changed, once it is
// used. All methods may be called concurrently.
//
// Envelopes and revocations are kept without bound, these for their time: to lose one
// is worse than to need memory.
// What a program would be content to lose some day is bounded by the fields.
type Store struct {
	// MaxResults is the most records kept. One more, and the record that would
	// expire first goes, as if it had expired. Default: 100,000.
	MaxResults int
	// MaxDeadLetters is the most dead letters kept for each queue. One more,
	// and the oldest goes. Default: 10,000.
	MaxDeadLetters int

	// mu guards all that follows. Its sections are short: O(log n) for each
	// item of a batch at worst.
	mu     sync.Mutex
	closed bool
	epoch  time.Time // when the store was first used; its clock counts from here

	queues     map[string]*queue
	sweepAt    int      // how many queues there must be before idle ones are looked for
	lastNumber int64    // the last delivery number
	lastPlace  int64    // the last place in line that was given away
	lastBurial int64    // counts what was set aside as a dead letter
	picked     []*entry // room for what a receive finds
	sessions   map[string]*session
	lapses     heap[*session] // by when the session's next delivery may be taken over
	watched    map[*queue]struct{}
	alarm      *time.Timer
	alarmRings instant // when the alarm rings, if there is one

	results  shelf[stem.Result]
	gone     tombstones
	workers  shelf[stem.WorkerInfo]
	talk     talk
	watchers map[string][]chan stem.Result

	buckets        map[limit.Bucket]*limit.State
	sweepBucketsAt int               // how many buckets there must be before idle ones are looked for
	places         map[string]places // by task
}

// Close empties the store, and ends it: blocked calls are woken, and they and
// all later ones answer [stem.ErrClosed]. It always answers nil, also when it is
// repeated.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for q := range s.watched {
		for _, r := range q.receivers {
			r.wake()
		}
	}
	for _, watchers := range s.watchers {
		for _, w := range watchers {
			close(w)
		}
	}
	s.silence()
	s.queues, s.sessions, s.lapses, s.watched = nil, nil, heap[*session]{}, nil
	s.picked = nil
	s.results, s.gone, s.watchers = shelf[stem.Result]{}, tombstones{}, nil
	s.workers = shelf[stem.WorkerInfo]{}
	s.talk.wake()
	s.talk = talk{}
	s.buckets, s.places = nil, nil
	return nil
}

// begin locks the store for a call and tells the time. If it answers an error,
// nothing is locked.
func (s *Store) begin(ctx context.Context) (now instant, err error) {
	s.mu.Lock()
	switch {
	case s.closed:
		err = stem.ErrClosed
	default:
		err = ctx.Err()
	}
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	return s.now(), nil
}

// each does something with every item of a batch, under one lock and at one time. Items
// that failed are named by a *stem.PartialError.
func (s *Store) each(ctx context.Context, items int, do func(i int, now instant) error) error {
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	var failed []stem.ItemError
	for i := range items {
		if err := do(i, now); err != nil {
			failed = append(failed, stem.ItemError{Index: i, Err: err})
		}
	}
	if failed == nil {
		return nil
	}
	return &stem.PartialError{Items: failed}
}

// instant is a time by the store's clock, in nanoseconds since its epoch. It
// comes from the monotonic clock: nobody who sets the wall clock moves a lease.
type instant int64

// never is later than all that happens.
const never instant = math.MaxInt64

// now tells the time. It is asked under the lock, so that it never goes back
// from one section to the next.
func (s *Store) now() instant {
	if s.epoch.IsZero() {
		s.epoch = time.Now()
	}
	return instant(time.Since(s.epoch))
}

// plus gives the instant d later, or never if that is beyond what can be told.
func (t instant) plus(d time.Duration) instant {
	if later := t + instant(d); later >= t {
		return later
	}
	return never
}
