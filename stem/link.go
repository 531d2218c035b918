package stem

import (
	"errors"
	"fmt"
	"slices"
)

// Link is a task that follows another one: a worker publishes it when that one has ended,
// before it settles it. It travels in the envelope of the one that it follows.
type Link struct {
	// When says after which end it follows.
	When LinkWhen
	// PassResult tells that its payload is the result of the task that it follows, so
	// that Envelope has none. Only after a success.
	PassResult bool
	// Envelope is what is published but for what only the end of the other
	// task tells: its id, its dedupe key and its lineage are empty until then.
	Envelope Envelope
}

// LinkWhen says which end of a task another one follows.
type LinkWhen uint8

// The ends that can be followed. A task that is cancelled (revoked or expired) is followed
// by nothing.
const (
	AfterSuccess LinkWhen = iota + 1
	// AfterFailure is when the task has become a dead letter.
	AfterFailure
)

// String names the end as an option does.
func (w LinkWhen) String() string {
	if w == AfterFailure {
		return "on failure"
	}
	return "on success"
}

// Call is a task with its args that is not enqueued: what With of a task definition
// makes and [OnSuccess] and [OnFailure] take. It may be used more than once.
type Call struct {
	spec    *TaskSpec
	payload []byte
	opts    []Option
	err     error
}

// With gives a call of the task, for [OnSuccess] and [OnFailure]. The args are encoded
// here; an error of that is told by the enqueue that uses the call. Options count as in an enqueue, over
// those of the definition and the client's defaults, but for these: [WithID] and [IdempotencyKey] are
// refused, since the id comes from the task that is followed; [Delay] and [ExpiresIn] count from
// its end; what [At] and [ExpiresAt] leave is computed when that task is enqueued, and counts from its
// end too. What Via has bound does not count: the call goes where the task that it follows is.
func (d *TaskDefinition[A, R]) With(args A, opts ...Option) Call {
	if d == nil || d.boxes == nil {
		return Call{err: errNoDefinition}
	}
	payload, err := d.encodeArgs(args)
	return Call{spec: &d.spec, payload: payload, opts: opts, err: err}
}

// With gives a call of the task, as [TaskDefinition.With] does.
func (d *NoArgsDefinition[R]) With(opts ...Option) Call {
	if d == nil {
		return Call{err: errNoDefinition}
	}
	return d.def.With(None{}, opts...)
}

// OnSuccess enqueues tasks when this one has succeeded, each as its child. They are
// published before the task is settled, so a crash in between loses none; what comes twice, after a crash
// or since the task has run again, is stored once: the id of a link is made from that of
// the task ("<id>/ok/0" and so on), and known for 24 h. A task that runs twice and
// succeeds once may be followed by those of both ends. The links of a duplicate are dropped with it.
//
// Options given in several places (the definition, the call) add up, to at most MaxLinks, and OnSuccess()
// takes back what follows a success; the calls may have links themselves, MaxLinkDepth deep, and the links of a task may weigh no more than
// ClientConfig.MaxPayload. A client's defaults have none. A link that cannot be
// published holds its task's settlement back until it can; where the store or the client refuses
// it by name for a minute, the task becomes a dead letter of the kind FailureUnlinked.
func OnSuccess(calls ...Call) Option { return follow(AfterSuccess, calls) }

// OnFailure enqueues tasks when this one has become a dead letter, as OnSuccess does after a
// success; their ids are "<id>/failed/0" and so on. They find why in their headers, FailureKindHeader and
// FailureHeader, and in Info the id of the task, their parent.
func OnFailure(calls ...Call) Option { return follow(AfterFailure, calls) }

// Then enqueues next when a task of first has succeeded, with its result for args; the compiler
// sees to it that they fit. Else it is OnSuccess. As an option of any task but
// first it is an error. The result is passed on also where none is kept.
func Then[R, R2 any](first Resulting[R], next *TaskDefinition[R, R2], opts ...Option) Option {
	f := followUp{when: AfterSuccess, pass: true, call: Call{opts: opts}}
	switch {
	case first == nil:
		f.call.err = errNoDefinition
	case next == nil || next.boxes == nil:
		f.call.err = errNoDefinition
	default:
		f.first, f.call.spec = first.Name(), &next.spec
	}
	return func(e *draft) { e.followUps = append(e.followUps, f) }
}

// Resulting is a task definition, with args or without, of tasks that give an R.
type Resulting[R any] interface {
	AnyTask
	resulting(R)
}

func (d *TaskDefinition[A, R]) resulting(R) {}
func (d *NoArgsDefinition[R]) resulting(R)  {}

// followUp is a link in the making.
type followUp struct {
	when  LinkWhen
	pass  bool
	first string // where pass: the task whose result it takes
	call  Call
}

func follow(when LinkWhen, calls []Call) Option {
	return func(e *draft) {
		if len(calls) == 0 {
			e.followUps = slices.DeleteFunc(e.followUps, func(f followUp) bool { return f.when == when })
		}
		for _, c := range calls {
			e.followUps = append(e.followUps, followUp{when: when, call: c})
		}
	}
}

// link makes the envelope's links of what options have asked for.
func (e *draft) link(client *Client) error {
	if len(e.followUps) == 0 {
		return nil // all were taken back
	}
	if e.depth == MaxLinkDepth {
		return errLinkDepth
	}
	links := make([]Link, len(e.followUps))
	for i, f := range e.followUps {
		l, err := f.link(e, client)
		if err != nil {
			return fmt.Errorf("%v: link %d: %w", f.when, i, err)
		}
		links[i] = l
	}
	e.Links = links
	return nil
}

var errLinkDepth error = &OptionError{Option: "links", Value: "deeper", Want: fmt.Sprintf("at most %d tasks that follow each other", MaxLinkDepth)}

// link gives the link of a task that is followed.
func (f *followUp) link(after *draft, client *Client) (Link, error) {
	switch {
	case f.call.err != nil:
		return Link{}, f.call.err
	case f.call.spec == nil:
		return Link{}, errors.New("stem: the call is zero: make it with the definition's With")
	case f.pass && f.first != after.Task:
		return Link{}, fmt.Errorf("stem: Then(%s, %s) is an option of task %s: it takes the result of %s, so use it there", f.first, f.call.spec.Name, after.Task, f.first)
	}
	l := Link{When: f.when, PassResult: f.pass}
	d := draft{Envelope: &l.Envelope, depth: after.depth + 1}
	d.fill(client, f.call.spec, f.call.payload, f.call.opts)
	if given := d.ID + d.DedupeKey; given != "" {
		return Link{}, &OptionError{Option: "WithID or IdempotencyKey of the linked task " + f.call.spec.Name, Value: clip(given), Want: "neither: its id comes from the task that it follows"}
	}
	if f.pass && (d.unique.needsArgs() || d.limitKey.field != "") {
		return Link{}, &OptionError{Option: "Unique or LimitKeyField of the linked task " + f.call.spec.Name, Value: "of its args", Want: "UniqueKey or LimitKeyHeader: its args are a result that is not known yet"}
	}
	if err := d.complete(client); err != nil {
		return Link{}, err
	}
	d.ID, d.DedupeWindow = "", 0
	if d.Links == nil {
		return l, nil
	}
	return l, d.tooLarge(client.maxPayload()) // already: sixteen each, eight deep, would be four billion
}

func (e *Envelope) validateLinks() error {
	if len(e.Links) > MaxLinks {
		return &OptionError{Option: "links", Value: fmt.Sprint(len(e.Links)), Want: fmt.Sprint("at most ", MaxLinks)}
	}
	if e.linkDepth() > MaxLinkDepth {
		return errLinkDepth
	}
	for i := range e.Links {
		if err := e.Links[i].validate(); err != nil {
			return fmt.Errorf("link %d: %w", i, err)
		}
		if e.excludes(&e.Links[i].Envelope) {
			return fmt.Errorf("link %d: %w", i, &OptionError{Option: "Unique of the linked task " + clip(e.Links[i].Envelope.Task), Value: "the key of the task that it follows",
				Want: "another key, or UntilStarted for that task: what follows is published before that lets go of its key, and would be a duplicate of it"})
		}
	}
	return nil
}

// excludes reports whether a link could never be stored, since the task itself holds its unique key until it is settled.
func (e *Envelope) excludes(link *Envelope) bool {
	u, other := e.Unique, link.Unique
	return u != nil && other != nil && u.Until == UntilDone && u.For == 0 && u.Key == other.Key && e.Queue == link.Queue
}

func (e *Envelope) linkDepth() int {
	deepest := 0
	for i := range e.Links {
		deepest = max(deepest, 1+e.Links[i].Envelope.linkDepth())
	}
	return deepest
}

func (l *Link) validate() error {
	switch e := &l.Envelope; {
	case l.When != AfterSuccess && l.When != AfterFailure:
		return &OptionError{Option: "end", Value: fmt.Sprint(uint8(l.When)), Want: "a success or a failure"}
	case l.PassResult && l.When != AfterSuccess:
		return &OptionError{Option: "result", Value: "passed on", Want: "none: a failure has no result"}
	case e.ID+e.DedupeKey+e.Root+e.Parent+e.ReplayOf != "" || e.Ancestors != nil:
		return &OptionError{Option: "id, dedupe key and lineage", Value: clip(e.ID + e.DedupeKey + e.Root + e.Parent + e.ReplayOf), Want: "none: they come from the task that is followed"}
	case headersSize(e.Headers) > MaxHeaders-failureHeaders:
		return &OptionError{Option: "headers", Value: fmt.Sprint(headersSize(e.Headers), " bytes"), Want: fmt.Sprintf("at most %d bytes, so that why a task failed has room", MaxHeaders-failureHeaders)}
	}
	sample := l.Envelope
	sample.ID = "id"
	return sample.Validate()
}

// failureHeaders is how many bytes the headers take, at most, that tell why a task failed.
const failureHeaders = 2 << 10

// needsResult reports whether anybody gets the task's result.
func (e *Envelope) needsResult() bool {
	return e.KeepResult > 0 || slices.ContainsFunc(e.Links, func(l Link) bool { return l.PassResult })
}

func headersSize(headers map[string]string) (size int) {
	for key, value := range headers {
		size += len(key) + len(value)
	}
	return size
}

// linksSize is how many bytes the links take on the wire.
func (e *Envelope) linksSize() int {
	if e.Links == nil {
		return 0
	}
	w := fieldWriter{}
	w.links(e.Links)
	return len(w.b)
}

// tooLarge refuses args that are larger than the limit, and links that are.
func (e *Envelope) tooLarge(limit int) error {
	if size := len(e.Payload); size > limit {
		return &PayloadTooLargeError{Task: e.Task, What: "args", Size: size, Limit: limit}
	}
	if size := e.linksSize(); size > limit {
		return &PayloadTooLargeError{Task: e.Task, What: "links", Size: size, Limit: limit}
	}
	return nil
}

// weight is how many bytes of an envelope count where a batch of them is bounded.
func (e *Envelope) weight() int { return len(e.Payload) + e.linksSize() }
