package ops

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Stores are what a service stands on. Only Broker is required; each of the others is, where it is nil, the
// broker if that is one.
type Stores struct {
	Broker      stem.Broker
	Backend     stem.Backend
	Limits      limit.Store
	Revocations stem.RevocationStore
}

func (s Stores) withDefaults() Stores {
	if s.Backend == nil {
		s.Backend, _ = stem.As[stem.Backend](s.Broker)
	}
	if s.Limits == nil {
		s.Limits, _ = stem.As[limit.Store](s.Broker)
	}
	if s.Revocations == nil {
		s.Revocations, _ = stem.As[stem.RevocationStore](s.Broker)
	}
	return s
}

// Config adjusts a service. The zero value works.
type Config struct {
	// Registry has the tasks of the program that embeds the service. The default is none: what tasks there
	// are is not known then.
	Registry *stem.Registry
	// Observer is told of every change, once it has been made or has failed; it must not block. The default is none.
	Observer func(context.Context, Event)
	// Mask are names of fields of args and results, and of keys of maps in them, whose values nobody is shown, in any
	// case and however deep they lie: "password", "token". The default is none.
	Mask []string
	// Client enqueues, through its middleware; dead letters that are sent back have passed that before. The default is one
	// over the stores, which takes payloads of any size.
	Client *stem.Client
}

// Service is what an operator sees and does. Its methods may be called concurrently, and each of their
// calls to a store is bounded by 10 s beside their context. What they answer is the caller's own, but for what is
// marked as read-only.
//
// A method that needs what a store cannot do answers an [*UnsupportedError].
type Service struct {
	stores Stores
	cfg    Config
	client *stem.Client
}

// New makes a service over stores.
func New(s Stores, cfg Config) (*Service, error) {
	if s.Broker == nil {
		return nil, errors.New("ops: New: Stores.Broker is nil: pass that of an adapter, for example new(memory.Store)")
	}
	s = s.withDefaults()
	service := &Service{stores: s, cfg: cfg, client: cfg.Client}
	if service.client == nil {
		client, err := stem.NewClient(s.Broker, stem.ClientConfig{Backend: s.Backend, Revocations: s.Revocations, MaxPayload: math.MaxInt})
		if err != nil {
			return nil, fmt.Errorf("ops: New: %w", err)
		}
		service.client = client
	}
	return service, nil
}

// callTimeout bounds each call to a store.
const callTimeout = 10 * time.Second

// bounded gives the context of one call to a store.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}

// capable gives a store as a capability, or says that it lacks that. There are a dozen of them, and no call is
// frequent: they are looked for when they are needed.
func capable[T any](store any) (T, error) {
	c, ok := stem.As[T](store)
	if !ok {
		return c, &UnsupportedError{Adapter: fmt.Sprintf("%T", store), Capability: reflect.TypeFor[T]().String()}
	}
	return c, nil
}

// Workers answers the workers that have announced themselves (see [stem.Client.Workers]).
func (s *Service) Workers(ctx context.Context) ([]stem.WorkerInfo, error) {
	if _, err := capable[stem.PresenceLister](s.stores.Broker); err != nil {
		return nil, err
	}
	return s.client.Workers(ctx)
}

// Types answers the tasks that the program knows which embeds the service, in the order of their names. It answers
// [ErrNoRegistry] where it was given none.
func (s *Service) Types() ([]stem.TaskSpec, error) {
	if s.cfg.Registry == nil {
		return nil, ErrNoRegistry
	}
	return s.cfg.Registry.Tasks(), nil
}

// ErrNoRegistry: the program knows no tasks.
var ErrNoRegistry = errors.New("ops: this program knows no tasks: those of an application are known to a program of its own, which gives its registry to ops.Config or cli.Config")

// Result answers the record of a task as [stem.Backend] has it: a *NotFoundError that wraps [stem.ErrNoResult] or
// [stem.ErrResultExpired] where there is none.
func (s *Service) Result(ctx context.Context, id string) (stem.Result, error) {
	if err := stem.ValidateName("id", id); err != nil {
		return stem.Result{}, err
	}
	if s.stores.Backend == nil {
		return stem.Result{}, stem.ErrNoBackend
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	records, err := s.stores.Backend.Load(ctx, id)
	switch err := stem.ItemErr(err, 0); {
	case errors.Is(err, stem.ErrNoResult), errors.Is(err, stem.ErrResultExpired):
		return stem.Result{}, &NotFoundError{What: "result", ID: id, Err: err}
	case err != nil:
		return stem.Result{}, fmt.Errorf("ops: result of %s: %w", id, err)
	}
	return records[0], nil
}

// NotFoundError says that what an id names is not there.
type NotFoundError struct {
	// What was looked for: "task", "result", "dead letter".
	What, ID string
	// Queues are those that were looked through, and Looked at how many entries.
	Queues []string
	Looked int
	// Bounded tells that there are more entries than are looked at for one id: it may be among the others.
	Bounded bool
	// Err is what the store said, if it did.
	Err error
}

// Error tells where it is not.
func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("ops: there is no %s %s", e.What, e.ID)
	switch len(e.Queues) {
	case 0:
	case 1:
		text += " in queue " + e.Queues[0]
	default:
		text += fmt.Sprintf(" in %d queues", len(e.Queues))
	}
	if e.Bounded {
		text += fmt.Sprintf(", as far as was looked (at %d entries; there are more)", e.Looked)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives what the store said.
func (e *NotFoundError) Unwrap() error { return e.Err }
