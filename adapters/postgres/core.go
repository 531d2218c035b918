package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

var (
	_ stem.Broker           = (*Store)(nil)
	_ stem.Backend          = (*Store)(nil)
	_ stem.SavingSettler    = (*Store)(nil)
	_ stem.ResultWatcher    = (*Store)(nil)
	_ stem.DeadLetterLister = (*Store)(nil)
	_ stem.QueueCounter     = (*Store)(nil)
	_ stem.RevocationStore  = (*Store)(nil)
	_ stem.UniqueKeeper     = (*Store)(nil)
	_ stem.QueuePauser      = (*Store)(nil)
	_ limit.Store           = (*Store)(nil)
	_ stem.PresenceKeeper   = (*Store)(nil)
	_ stem.PresenceLister   = (*Store)(nil)
	_ stem.CommandPoster    = (*Store)(nil)
	_ stem.CommandReceiver  = (*Store)(nil)
)

// Store is a broker and a result backend in one schema of a PostgreSQL database. All methods may be called
// concurrently.
type Store struct {
	cfg   Config
	sql   statements
	pool  *pgxpool.Pool
	on    onPool
	owned bool // the pool is ours to close

	offset   atomic.Int64 // of the store's clock in microseconds; only tests move it
	stale    atomic.Int64 // until when results are not taken for the first of their ids, by UnixNano
	line     sync.Map     // *bounds by queue
	waiting  waiting
	notifier notifier
	listener *listener // nil where only polls tell
	watch    watch
	commands bell
	tidied   atomic.Int64 // when this store last tidied, in ns since it began

	began   time.Time
	closing context.Context // ends when the store is closed
	close   context.CancelFunc
	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup // calls under way, which Close waits for
}

// newStore makes a store on a pool. It listens on a connection of its own to target, or nowhere where that is nil.
func newStore(pool *pgxpool.Pool, target *pgx.ConnConfig, cfg Config) *Store {
	s := &Store{cfg: cfg, sql: statementsOf(cfg.Schema), pool: pool, on: newOnPool(pool), began: time.Now()}
	s.closing, s.close = context.WithCancel(context.Background())
	s.notifier.store = s
	s.watch.store = s
	if target != nil && !cfg.PollOnly {
		s.listener = listen(s, target)
	}
	return s
}

// Close ends blocked calls, waits for those under way, and lets the connections go that are the store's own. Later calls
// answer [stem.ErrClosed]. What the server holds stays. It may be repeated.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.close()
	s.calls.Wait()
	if s.listener != nil {
		s.listener.wait()
	}
	if s.owned {
		s.pool.Close()
	}
	return nil
}

// begin lets a call in. Its end must be told with s.calls.Done.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return stem.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// longestCall bounds every statement, whatever the caller's context says.
const longestCall = 30 * time.Second

// bound gives a context for one statement: the caller's, where that ends soon enough.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= longestCall {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, longestCall)
}

// repeated makes a call of one statement, and again where the server has undone it for what others did meanwhile: of many who come
// at once, each loses to all others at worst.
func (s *Store) repeated(ctx context.Context, operation string, call func(context.Context) error) (err error) {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	for range 20 {
		switch err = call(ctx); code(err) {
		case "40P01", "40001": // deadlock_detected, serialization_failure
			continue
		}
		break
	}
	return s.failed(operation, err)
}

// failed makes an error of the driver one of ours.
func (s *Store) failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	if s.closing.Err() != nil && (errors.Is(err, context.Canceled) || err.Error() == "closed pool") {
		return stem.ErrClosed
	}
	switch code(err) {
	case "53100", "53200": // disk_full, out_of_memory
		return fmt.Errorf("postgres: %s: %w: %w", operation, stem.ErrBackpressure, err)
	}
	return fmt.Errorf("postgres: %s: %w", operation, err)
}

// code gives the SQLSTATE of an error, or nothing.
func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// micros gives a duration in microseconds, rounded up: nothing is due early. It is below what an instant can be added.
func micros(d time.Duration) int64 {
	us := int64(d / time.Microsecond)
	if d%time.Microsecond > 0 {
		us++
	}
	return max(us, 0)
}

// unknown names all items of a part of a batch whose outcome nobody knows.
func unknown(items []stem.ItemError, indices []int, err error) []stem.ItemError {
	err = fmt.Errorf("%w: %w", stem.ErrUnknownOutcome, err)
	for _, i := range indices {
		items = append(items, stem.ItemError{Index: i, Err: err})
	}
	return items
}

// partial makes an error of items that failed.
func partial(items []stem.ItemError) error {
	if len(items) == 0 {
		return nil
	}
	slices.SortFunc(items, func(a, b stem.ItemError) int { return a.Index - b.Index })
	return &stem.PartialError{Items: items}
}
