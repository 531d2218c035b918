package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/internal/nearest"
	"github.com/gostem/gostem/stem"
)

// EnqueueRequest is a task to enqueue by its name.
type EnqueueRequest struct {
	// Task is a name or an alias of a task in the registry.
	Task string
	// Args are what the schema of the task's args says, as JSON (see [Form.Payload]). None at all are the zero value.
	Args json.RawMessage
	// Options stand above those of the task's definition.
	Options []stem.Option
}

// Enqueue puts a task into its queue as the program's own code would: with the options of its definition, and
// through the middleware of the client. It answers [ErrNoRegistry] where the service knows no tasks, a *NotFoundError where it
// does not know this one, a [*FormError] where its args are not what its schema says, and what [stem.Client.EnqueueRaw]
// does. Where the store already has the task the answer is that one's, and a Duplicate.
func (s *Service) Enqueue(ctx context.Context, by By, r EnqueueRequest) (stem.Published, error) {
	if err := by.validate(); err != nil {
		return stem.Published{}, err
	}
	published, queue, err := s.enqueue(ctx, r)
	s.tell(ctx, Event{By: by, Action: "task.enqueue", Queue: queue, ID: published.ID, Count: 1, Err: err})
	return published, err
}

func (s *Service) enqueue(ctx context.Context, r EnqueueRequest) (p stem.Published, queue string, err error) {
	spec, err := s.spec(r.Task)
	if err != nil {
		return p, "", err
	}
	payload, err := argsOf(spec, r.Args)
	if err != nil {
		return p, "", fmt.Errorf("ops: task %s: %w", spec.Name, s.discreet(err))
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	options := slices.Concat(spec.Options, r.Options, []stem.Option{stem.Fingerprint(spec.Schema.Fingerprint)})
	job, err := s.client.EnqueueRaw(ctx, spec.Name, payload, options...)
	if err != nil {
		return p, "", err
	}
	return stem.Published{ID: job.ID(), Duplicate: job.Duplicate(), Replaces: job.Replaces()}, job.Queue(), nil
}

// spec finds a task by its name or an alias.
func (s *Service) spec(name string) (stem.TaskSpec, error) {
	specs, err := s.Types()
	if err != nil {
		return stem.TaskSpec{}, err
	}
	var names []string
	for _, spec := range specs {
		if spec.Name == name || slices.Contains(spec.Aliases, name) {
			return spec, nil
		}
		names = append(names, spec.Name)
	}
	missing := &NotFoundError{What: "task called", ID: name}
	if guess := nearest.To(name, names); guess != "" {
		missing.Err = fmt.Errorf("is %s meant?", guess)
	}
	return stem.TaskSpec{}, missing
}

// argsOf makes the payload of a task.
func argsOf(spec stem.TaskSpec, text json.RawMessage) ([]byte, error) {
	form, err := NewForm(spec.Schema.Args)
	if err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimSpace(text); spec.Schema.Args == "" && (string(trimmed) == "null" || string(trimmed) == "{}") {
		text = nil
	}
	payload, err := form.Payload(text)
	var refused *FormError
	switch {
	case !errors.As(err, &refused) || spec.Schema.Args != "":
		return payload, err
	case spec.Schema.Fingerprint != 0:
		return nil, &FormError{Path: argsPath, Problem: "the task takes none"}
	}
	return nil, &FormError{Path: argsPath, Problem: "the task's definition has no schema to make them by; stemgen writes one"}
}

// How often a result is looked for in a store that cannot push it.
const (
	firstLook   = 20 * time.Millisecond
	slowestLook = time.Second
)

// Await blocks until a task has ended, and answers its record; the context's error where that ends before, and as
// [Service.Result] does where the result is no longer kept. The task need not have been enqueued yet.
func (s *Service) Await(ctx context.Context, id string) (stem.Result, error) {
	if err := stem.ValidateName("id", id); err != nil {
		return stem.Result{}, err
	}
	if watcher, ok := stem.As[stem.ResultWatcher](s.stores.Backend); ok {
		return watcher.Await(ctx, id)
	}
	for wait := firstLook; ; wait = min(2*wait, slowestLook) {
		record, err := s.Result(ctx, id)
		if err == nil && record.State.Terminal() || err != nil && !errors.Is(err, stem.ErrNoResult) {
			return record, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return stem.Result{}, ctx.Err()
		}
	}
}
