package stem

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Handler runs one delivery and gives the encoded result, or nil, which no codec makes, for
// one that is zero. It is what middleware wraps; user functions become handlers through [Handle].
//
// The context carries the client, the logger and the task's Info, and is
// cancelled, with a cause, when the lease is lost, the task is revoked, its
// timeout is over or the worker's grace period ends.
type Handler func(ctx context.Context, d *Delivery) (result []byte, err error)

// Middleware wraps handlers, for example to measure or to recover. The first of
// a list is the outermost.
type Middleware func(Handler) Handler

// Registry holds the tasks that a worker can run. The zero value is ready to
// use. Methods may be called concurrently, but a worker takes what is
// registered when it is made.
type Registry struct {
	mu    sync.Mutex
	tasks map[string]registration // by name
	names map[string]string       // the task of each name and alias
}

type registration struct {
	spec     TaskSpec
	handler  Handler
	steering steering
}

// Register binds a handler to the task of a spec, under its name and its aliases.
// One that is taken, as a name or an alias, is refused with a *DuplicateTaskError.
// Generated code and [Handle] call it; it is also the way to handle a task without a
// typed definition.
func (r *Registry) Register(spec TaskSpec, h Handler) error { return r.register(spec, h, nil) }

func (r *Registry) register(spec TaskSpec, h Handler, opts []HandlerOption) error {
	if r == nil {
		return fmt.Errorf("stem: register task %q: the registry is nil: pass a *stem.Registry", spec.Name)
	}
	if err := spec.validate(); err != nil {
		return err
	}
	if h == nil {
		return fmt.Errorf("stem: task %q has no handler: pass its function to Register or Handle", spec.Name)
	}
	t := registration{spec: spec, handler: h}
	if err := t.steering.apply(opts); err != nil {
		return fmt.Errorf("stem: task %q: %w", spec.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	names := append([]string{spec.Name}, spec.Aliases...)
	for _, name := range names {
		if first, taken := r.names[name]; taken {
			return &DuplicateTaskError{Task: name, First: r.tasks[first].spec.Source, Second: spec.Source}
		}
	}
	if r.tasks == nil {
		r.tasks, r.names = make(map[string]registration), make(map[string]string)
	}
	r.tasks[spec.Name] = t
	for _, name := range names {
		r.names[name] = spec.Name
	}
	return nil
}

// Tasks gives the specs of all registered tasks, each once, in the order of their names.
func (r *Registry) Tasks() []TaskSpec {
	r.mu.Lock()
	defer r.mu.Unlock()
	specs := make([]TaskSpec, 0, len(r.tasks))
	for _, t := range r.tasks {
		specs = append(specs, t.spec)
	}
	slices.SortFunc(specs, func(a, b TaskSpec) int { return strings.Compare(a.Name, b.Name) })
	return specs
}

// steerings gives what is to be asked about failed runs, by task name and alias, of those
// tasks for which there is something.
func (r *Registry) steerings() map[string]steering {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]steering)
	for name, task := range r.names {
		if s := r.tasks[task].steering; s.retryIf != nil || s.policy != nil {
			all[name] = s
		}
	}
	return all
}

// handlers gives the registered handlers by task name and alias, each wrapped in the
// middleware once.
func (r *Registry) handlers(middleware []Middleware) (map[string]Handler, error) {
	r.mu.Lock()
	tasks := maps.Clone(r.tasks)
	r.mu.Unlock() // middleware may ask the registry
	hs := make(map[string]Handler, len(tasks))
	for name, t := range tasks {
		h := t.handler
		for i, wrap := range slices.Backward(middleware) {
			if wrap == nil {
				return nil, fmt.Errorf("stem: WorkerConfig.Middleware: number %d is nil", i)
			}
			if h = wrap(h); h == nil {
				return nil, fmt.Errorf("stem: WorkerConfig.Middleware: number %d gave no handler for task %s: return the next one to do nothing", i, name)
			}
		}
		hs[name] = h
		for _, alias := range t.spec.Aliases {
			hs[alias] = h
		}
	}
	return hs, nil
}
