package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

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
	_ stem.UniqueKeeper     = (*Store)(nil)
	_ stem.QueuePauser      = (*Store)(nil)
	_ limit.Store           = (*Store)(nil)
	_ stem.PresenceKeeper   = (*Store)(nil)
	_ stem.PresenceLister   = (*Store)(nil)
	_ stem.CommandPoster    = (*Store)(nil)
	_ stem.CommandReceiver  = (*Store)(nil)
	_ ops.QueueLister       = (*Store)(nil)
	_ ops.QueueGauger       = (*Store)(nil)
	_ ops.TaskLister        = (*Store)(nil)
	_ ops.TaskChanger       = (*Store)(nil)
	_ ops.DeadLetterKeeper  = (*Store)(nil)
	_ ops.ResultAnnotator   = (*Store)(nil)
	_ stem.Broker           = (*ClusterStore)(nil)
	_ stem.Backend          = (*ClusterStore)(nil)
)

// Config adjusts a store. The zero value works.
type Config struct {
	// Namespace is what all keys begin with, so that several programs can share a database. Printable ASCII
	// without braces and colons. Default: "stem".
	Namespace string
	// MaxDeadLetters is the most dead letters kept for each queue. One more, and the oldest goes. Default: 10,000.
	MaxDeadLetters int
	// TLS is what connections are made with that a rediss:// URL asks for: authorities, a client certificate. It is not
	// changed, ServerName is the host of the URL unless it is set, and nil takes the authorities of the machine. Clients of the user's
	// have their own: [New] does not look at it.
	TLS *tls.Config
	// Logger is told what an operator should know: what the checks at the start found, and entries that were gone.
	// Default: slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Namespace == "" {
		c.Namespace = "stem"
	}
	if c.MaxDeadLetters == 0 {
		c.MaxDeadLetters = 10_000
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	for _, r := range c.Namespace {
		if r <= ' ' || r > '~' || r == '{' || r == '}' || r == ':' {
			return &stem.OptionError{Option: "namespace", Value: fmt.Sprintf("%q", c.Namespace), Want: "printable ASCII without spaces, braces and colons"}
		}
	}
	if c.MaxDeadLetters < 0 {
		return &stem.OptionError{Option: "MaxDeadLetters", Value: fmt.Sprint(c.MaxDeadLetters), Want: "0 (for the default) or more"}
	}
	return nil
}

// Store is a broker and a result backend on one Redis server, or one that Sentinels watch. All
// methods may be called concurrently.
type Store struct{ *core }

// ClusterStore is a broker and a result backend on a Redis Cluster. There a queue lies on one node and its results
// on others, so it is no stem.SavingSettler: results are saved, then deliveries settled.
type ClusterStore struct{ *core }

// core is what both stores can do.
type core struct {
	cfg     Config
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil on a single server
	owned   bool                 // the client is ours to close
	// stubborn tells that a server does not let us end a blocking read.
	stubborn bool

	offset     atomic.Int64 // of the store's clock in ms; only tests move it
	started    time.Time    // the local clock counts from here
	ahead      atomic.Int64 // how far the store's clock was ahead of that when it was last heard, in ms; 0 if never
	queues     sync.Map     // *queueKeys by name
	ensured    sync.Map     // queues whose groups this store has looked after
	knowledges knowledges
	schemas    schemas
	sessions   sessions
	waiters    waiters
	vigils     vigils
	plainKnown atomic.Bool // the server has been told plain.lua
	watch      watch

	closing context.Context // ends when the store is closed
	close   context.CancelFunc
	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup // calls under way, which Close waits for
}

func newCore(client redis.UniversalClient, cfg Config) (*core, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &core{cfg: cfg, client: client, started: time.Now()}
	c.cluster, _ = client.(*redis.ClusterClient)
	c.closing, c.close = context.WithCancel(context.Background())
	return c, nil
}

// Close ends blocked calls, waits for those under way, and lets the connections go that are the store's own. Later calls
// answer [stem.ErrClosed]. What the server holds stays. It may be repeated.
func (c *core) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.close()
	c.calls.Wait()
	c.resignAll()
	c.watch.close()
	c.waiters.close()
	if !c.owned {
		return nil
	}
	return c.client.Close()
}

// begin lets a call in. Its end must be told with c.calls.Done.
func (c *core) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return stem.ErrClosed
	}
	c.calls.Add(1)
	return nil
}

// failed makes an error of the driver one of ours.
func (c *core) failed(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.closing.Err() != nil && (errors.Is(err, redis.ErrClosed) || errors.Is(err, context.Canceled)):
		return stem.ErrClosed
	case redis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("redis: %s: %w: %w", operation, stem.ErrBackpressure, err)
	}
	return fmt.Errorf("redis: %s: %w", operation, err)
}

// now asks for the time of the store's clock, in ms.
func (c *core) now(ctx context.Context) (int64, error) {
	t, err := c.client.Time(ctx).Result()
	if err != nil {
		return 0, err
	}
	now := t.UnixMilli() + c.offset.Load()
	c.heard(now)
	return now, nil
}

// heard notes what the store's clock has just said.
func (c *core) heard(now int64) {
	c.ahead.Store(now - c.offset.Load() - time.Since(c.started).Milliseconds())
}

// about tells the time of the store's clock by what was last heard of it.
func (c *core) about(ctx context.Context) (int64, error) {
	if now, heard := c.reckoned(); heard {
		return now, nil
	}
	return c.now(ctx)
}

// reckoned tells the time of the store's clock without asking, if anything was heard of it.
func (c *core) reckoned() (now int64, heard bool) {
	ahead := c.ahead.Load()
	return ahead + time.Since(c.started).Milliseconds() + c.offset.Load(), ahead != 0
}

// millis gives a duration in ms, rounded up: nothing is due early.
func millis(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return max(ms, 0)
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

// address tells the place of an entry among all of its queue, as line.lua does.
func address(priority int, id string) string {
	ms, seq, _ := strings.Cut(id, "-")
	return string(rune('9'-priority)) + ms + string(rune('`'+len(seq))) + seq
}
