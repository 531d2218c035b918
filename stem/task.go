package stem

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gostem/gostem/stem/codec"
)

// GeneratedCodeV1 is what code written by stemgen refers to. If the compiler
// says that it is undefined, the generated file and this package are of
// different generations: update both to one version and run go generate.
const GeneratedCodeV1 = true

// None is the result of tasks that give none and the args of tasks that take none.
type None struct{}

// NoneCodec encodes None as nil and reads any value as None.
func NoneCodec() codec.Codec[None] {
	return codec.Codec[None]{
		Append: func(b []byte, _ *None) ([]byte, error) { return codec.AppendNil(b), nil },
		Read:   func(r *codec.Reader, _ *None) { r.Skip() },
	}
}

// TaskDefinition is a task as a typed value: its name, its options and the
// codecs of its args A and result R. It does not hold the handler, so that a
// task can enqueue itself; [Handle] binds one. It may be used concurrently.
type TaskDefinition[A, R any] struct {
	spec   TaskSpec
	args   codec.Codec[A]
	result codec.Codec[R]
	route  route
	boxes  *boxes[A, R]
}

var _ AnyTask = (*TaskDefinition[None, None])(nil)

// Define makes a task definition. A spec that is wrong shows at Handle, and what would
// be published already at the first Enqueue, as an error that names the field, so that
// definitions can be package variables.
func Define[A, R any](spec TaskSpec, args codec.Codec[A], result codec.Codec[R]) *TaskDefinition[A, R] {
	return &TaskDefinition[A, R]{spec: spec, args: args, result: result, boxes: new(boxes[A, R])}
}

var errNoDefinition = errors.New("stem: the task definition is nil or zero: make it with stem.Define")

// Name gives the task's name.
func (d *TaskDefinition[A, R]) Name() string { return d.spec.Name }

// Spec gives what the definition says about its task.
func (d *TaskDefinition[A, R]) Spec() TaskSpec { return d.spec }

// ArgsCodec gives the codec of the args.
func (d *TaskDefinition[A, R]) ArgsCodec() codec.Codec[A] { return d.args }

// ResultCodec gives the codec of the result.
func (d *TaskDefinition[A, R]) ResultCodec() codec.Codec[R] { return d.result }

// Via gives the same task bound to p: a *Client, or a transaction of an
// adapter. With a transaction, defaults and results are the client's that was
// bound before, or that is in the context, if any.
func (d *TaskDefinition[A, R]) Via(p Publisher) *TaskDefinition[A, R] {
	bound := *d
	bound.route = d.route.over(p)
	return &bound
}

// Enqueue puts one task into its queue and answers the job, a claim on its
// result. When Enqueue answers without an error the store has the task. Where the error
// is about the args, the options or the client, or matches ErrBackpressure (the store is
// full), the store does not have it. Any other error leaves that open (the answer may
// have been lost); WithID or IdempotencyKey makes it safe to try again.
//
// The client is the one that Via bound, else the context's (see WithClient),
// else ErrNoClient. Enqueued inside a handler, the task becomes a child of the
// running one; if that has been revoked, nothing is enqueued and the error is ErrRevoked.
func (d *TaskDefinition[A, R]) Enqueue(ctx context.Context, args A, opts ...Option) (Job[R], error) {
	if d == nil || d.boxes == nil {
		return Job[R]{}, errNoDefinition
	}
	payload, err := d.encodeArgs(args)
	if err != nil {
		return Job[R]{}, err
	}
	t, err := d.route.enqueue(ctx, &d.spec, payload, opts)
	if err != nil {
		return Job[R]{}, err
	}
	return d.job(t), nil
}

// EnqueueMany enqueues one task for each args value, all with the same options,
// in as few round trips as the store allows. It answers one job per args value,
// in order; where some failed, a *PartialError names them and their jobs are zero.
func (d *TaskDefinition[A, R]) EnqueueMany(ctx context.Context, args []A, opts ...Option) ([]Job[R], error) {
	if d == nil || d.boxes == nil {
		return nil, errNoDefinition
	}
	payloads := make([][]byte, len(args))
	for i := range args {
		payload, err := d.encodeArgs(args[i])
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		payloads[i] = payload
	}
	tickets, err := d.route.enqueueMany(ctx, &d.spec, payloads, opts)
	jobs := make([]Job[R], len(tickets))
	for i, t := range tickets {
		if t.id != "" {
			jobs[i] = d.job(t)
		}
	}
	return jobs, err
}

// Job gives the job of a task that was enqueued before, by its id. It asks
// nothing of the store, and takes the task to be on the queue that an enqueue without
// options would put it on.
func (d *TaskDefinition[A, R]) Job(ctx context.Context, id string) (Job[R], error) {
	client, err := d.route.clientFor(ctx)
	if err != nil {
		return Job[R]{}, err
	}
	if err := validName("id", id); err != nil {
		return Job[R]{}, fmt.Errorf("job of task %s: %w", clip(d.spec.Name), err)
	}
	e := builtin()
	if client != nil {
		e = client.base
	}
	(&draft{Envelope: &e}).apply(d.spec.Options)
	return d.job(ticket{id: id, queue: e.Queue, delay: e.Delay, client: client}), nil
}

func (d *TaskDefinition[A, R]) job(t ticket) Job[R] {
	return Job[R]{ticket: t, spec: &d.spec, read: d.result.Read}
}

// Handle binds a function to a task definition. Options say how failures of its runs are
// treated in this process.
func Handle[A, R any](r *Registry, d *TaskDefinition[A, R], fn func(context.Context, A) (R, error), opts ...HandlerOption) error {
	if d == nil {
		return errors.New("stem: Handle: the task definition is nil")
	}
	if fn == nil {
		return r.Register(d.spec, nil)
	}
	if err := d.check(); err != nil {
		return err
	}
	return r.register(d.spec, func(ctx context.Context, delivery *Delivery) ([]byte, error) {
		args, err := d.decodeArgs(delivery.Payload)
		if err != nil {
			return nil, err
		}
		result, err := fn(ctx, args)
		if err != nil || !delivery.needsResult() {
			return nil, err
		}
		return d.encodeResult(result)
	}, opts)
}

// check reports what is wrong with the definition itself.
func (d *TaskDefinition[A, R]) check() error {
	if d.args.Append == nil || d.args.Read == nil || d.result.Append == nil || d.result.Read == nil {
		return fmt.Errorf("stem: task %s: a codec is missing: use reflectcodec.Of, or let stemgen write the definition", clip(d.spec.Name))
	}
	_, err := d.spec.Envelope()
	return err
}

// NoArgsDefinition is a [TaskDefinition] of a task that takes no args.
type NoArgsDefinition[R any] struct {
	def *TaskDefinition[None, R]
}

var _ AnyTask = (*NoArgsDefinition[None])(nil)

// DefineNoArgs makes the definition of a task without args, as Define does.
func DefineNoArgs[R any](spec TaskSpec, result codec.Codec[R]) *NoArgsDefinition[R] {
	return &NoArgsDefinition[R]{Define(spec, NoneCodec(), result)}
}

// Name gives the task's name.
func (d *NoArgsDefinition[R]) Name() string { return d.def.Name() }

// Spec gives what the definition says about its task.
func (d *NoArgsDefinition[R]) Spec() TaskSpec { return d.def.Spec() }

// ArgsCodec gives the codec of args that there are none of.
func (d *NoArgsDefinition[R]) ArgsCodec() codec.Codec[None] { return d.def.ArgsCodec() }

// ResultCodec gives the codec of the result.
func (d *NoArgsDefinition[R]) ResultCodec() codec.Codec[R] { return d.def.ResultCodec() }

// Via gives the same task bound to p, as [TaskDefinition.Via] does.
func (d *NoArgsDefinition[R]) Via(p Publisher) *NoArgsDefinition[R] {
	return &NoArgsDefinition[R]{d.def.Via(p)}
}

// Enqueue puts the task into its queue, as [TaskDefinition.Enqueue] does.
func (d *NoArgsDefinition[R]) Enqueue(ctx context.Context, opts ...Option) (Job[R], error) {
	return d.def.Enqueue(ctx, None{}, opts...)
}

// Job gives the job of a known id, as [TaskDefinition.Job] does.
func (d *NoArgsDefinition[R]) Job(ctx context.Context, id string) (Job[R], error) {
	return d.def.Job(ctx, id)
}

// HandleNoArgs binds a function to the definition of a task without args, as Handle does.
func HandleNoArgs[R any](r *Registry, d *NoArgsDefinition[R], fn func(context.Context) (R, error), opts ...HandlerOption) error {
	if d == nil {
		return errors.New("stem: HandleNoArgs: the task definition is nil")
	}
	if fn == nil {
		return r.Register(d.def.spec, nil)
	}
	return Handle(r, d.def, func(ctx context.Context, _ None) (R, error) { return fn(ctx) }, opts...)
}

// boxes keeps values that codecs work on through pointers. Codecs are function
// values, so whatever they point to would be allocated anew for each task.
type boxes[A, R any] struct {
	args, results sync.Pool
}

type box[T any] struct {
	value   T
	scratch []byte
	reader  codec.Reader
}

// The sizes of an encode buffer: that of a new one, and the largest worth keeping.
const (
	firstScratch   = 256
	largestScratch = 64 << 10
)

func takeBox[T any](p *sync.Pool) *box[T] {
	if b, ok := p.Get().(*box[T]); ok {
		return b
	}
	return new(box[T])
}

func (b *box[T]) giveBack(p *sync.Pool) {
	var zero T
	b.value = zero
	b.reader.Reset(nil)
	if cap(b.scratch) > largestScratch {
		b.scratch = nil
	}
	p.Put(b)
}

// encode gives the value's bytes in a slice of their own. The scratch stays the box's:
// what Append answers may be memory that the codec keeps, and is never written to again.
func (b *box[T]) encode(c codec.Codec[T]) ([]byte, error) {
	if b.scratch == nil {
		b.scratch = make([]byte, 0, firstScratch)
	}
	encoded, err := c.Append(b.scratch, &b.value)
	if err != nil {
		return nil, err
	}
	if len(encoded) > cap(b.scratch) {
		b.scratch = make([]byte, 0, 2*len(encoded)) // the next one fits
	}
	return append([]byte(nil), encoded...), nil
}

func (d *TaskDefinition[A, R]) encodeArgs(args A) ([]byte, error) {
	if d.args.Append == nil {
		return nil, d.check()
	}
	b := takeBox[A](&d.boxes.args)
	defer b.giveBack(&d.boxes.args)
	b.value = args
	payload, err := b.encode(d.args)
	if err != nil {
		return nil, fmt.Errorf("stem: task %s: encode args: %w", d.spec.Name, err)
	}
	return payload, nil
}

func (d *TaskDefinition[A, R]) encodeResult(result R) ([]byte, error) {
	if d.result.Append == nil {
		return nil, d.check()
	}
	b := takeBox[R](&d.boxes.results)
	defer b.giveBack(&d.boxes.results)
	b.value = result
	payload, err := b.encode(d.result)
	if err != nil {
		return nil, Permanent(fmt.Errorf("stem: task %s: encode result: %w", d.spec.Name, err))
	}
	return payload, nil
}

func (d *TaskDefinition[A, R]) decodeArgs(payload []byte) (A, error) {
	b := takeBox[A](&d.boxes.args)
	defer b.giveBack(&d.boxes.args)
	b.reader.Reset(payload)
	d.args.Read(&b.reader, &b.value)
	if err := b.reader.Finish(); err != nil {
		return b.value, &malformedError{fmt.Errorf("stem: task %s: args: %w", d.spec.Name, err)}
	}
	return b.value, nil
}

// malformedError marks bytes that no retry will make readable.
type malformedError struct{ err error }

func (e *malformedError) Error() string { return e.err.Error() }
func (e *malformedError) Unwrap() error { return e.err }
