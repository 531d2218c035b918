package stem

import (
	"fmt"
	"time"
)

// Envelope is one request to run one task, as it travels from a client through
// a broker to a worker. It is complete: every option has been resolved when it
// is published, so that any worker, rescuer or operator can act on a task
// whose code it does not have.
//
// An envelope never changes once published; it is what is fingerprinted, set
// aside as a dead letter and replayed. What does change (attempts, counters,
// marks) lies beside it in the store and comes with the [Delivery]. Whoever
// receives an envelope shares it with others and must not write to it, its
// payload or its headers.
//
// Durations, not instants, cross to the store: the store's clock is the only
// one that decides when a task is due or too late.
type Envelope struct {
	// ID names the task: 1–200 printable ASCII bytes, a UUIDv7 when the caller
	// gave none.
	ID string
	// Task is the name of the task definition, for example "demo.hello", that it had
	// when it was enqueued. Handlers, events and results tell this one, though the
	// task may have another by now.
	Task string
	// Queue is the line that the task waits in. It is also the scope of
	// deduplication.
	Queue string
	// Priority is 0–9; within a queue a higher one is received first.
	Priority int
	// Payload is the encoded args, one MessagePack value.
	Payload []byte
	// Headers are metadata that brokers carry unread, at most MaxHeaders bytes.
	Headers map[string]string

	// Delay is how long after its publication the task becomes due.
	Delay time.Duration
	// ExpiresIn is how long after its publication the task may still start;
	// later it is cancelled, not failed. 0 means for ever.
	ExpiresIn time.Duration
	// MaxRetries is how many failed attempts may be followed by another one.
	MaxRetries int
	// RetryFor is for how long after the task was first due (its publication and its
	// Delay) a failed attempt may be followed by another one: no retry is made that
	// would be due later. 0 means no such bound.
	RetryFor time.Duration
	// Backoff says how long to wait before each retry.
	Backoff BackoffPolicy
	// Timeout bounds one run of the handler. 0 means none.
	Timeout time.Duration
	// SoftTimeout is how long a run may last before its handler is warned; below
	// Timeout where both are set. 0 means that it is not.
	SoftTimeout time.Duration
	// HeartbeatTimeout is how long a run may last without a sign of life before it is
	// cancelled (see [HeartbeatTimeout]). 0 means for ever.
	HeartbeatTimeout time.Duration
	// Visibility is how long after its worker was last heard of the task may
	// run elsewhere, where that is longer than the lease of the worker's session.
	Visibility time.Duration
	// KeepResult is how long the result is kept. 0 means that none is stored.
	KeepResult time.Duration

	// DedupeKey and DedupeWindow: a second envelope with the same key and queue
	// within the window (counted from the first one's publication) is not
	// stored, and its publisher is told the id of the first. An empty key or
	// window means no deduplication.
	DedupeKey    string
	DedupeWindow time.Duration
	// Unique is what makes the envelope the only one of its kind on its queue; nil for
	// most. It is shared and read-only.
	Unique *Uniqueness
	// Limit bounds how often and how many at once the task runs; nil means no bound.
	Limit *Limit
	// Fingerprint identifies the schema of the payload (see [Schema]); 0 means
	// unknown. Only a receiver that reads it is lent the envelope.
	Fingerprint uint64

	// Root and Parent are the ids of the first task of a family and of the task
	// whose handler enqueued this one; empty for a task that nobody spawned.
	Root, Parent string
	// Ancestors are the ids of the tasks between Parent and Root, the nearest first;
	// of more than MaxAncestors only the nearest.
	Ancestors []string
	// ReplayOf is the id of the dead letter that this envelope repeats.
	ReplayOf string
	// Links are the tasks that follow this one, at most MaxLinks.
	Links []Link
}

// Lineage goes through the ids of the task and of those above it that the envelope
// knows: itself, Parent, Ancestors and Root. One may come twice. A revocation of a
// family reaches the envelope if it names one of them.
func (e *Envelope) Lineage(yield func(id string) bool) {
	if !yield(e.ID) || e.Parent != "" && !yield(e.Parent) {
		return
	}
	for _, id := range e.Ancestors {
		if !yield(id) {
			return
		}
	}
	if e.Root != "" {
		yield(e.Root)
	}
}

// Limits of what an envelope may say; every store relies on them.
const (
	// MaxIDLength is the longest id, task name and queue name, in bytes.
	MaxIDLength = 200
	// MaxKeyLength is the longest dedupe key and unique key, which may hold a task name, a
	// space and a key of the caller's.
	MaxKeyLength = 2*MaxIDLength + 1
	// MaxHeaders is how many bytes the headers may have, keys and values together.
	MaxHeaders = 64 << 10
	// MaxPriority is the highest priority; the lowest is 0.
	MaxPriority = 9
	// MaxAncestors is how many tasks between its parent and the first of its family an
	// envelope names.
	MaxAncestors = 16
	// MaxLinks is how many tasks may follow one.
	MaxLinks = 16
	// MaxLinkDepth is how many tasks may follow each other in one envelope.
	MaxLinkDepth = 8
)

// Validate reports the first field that no store would accept, naming it and
// what is allowed. Clients call it before they publish; an adapter may rely on it.
func (e *Envelope) Validate() error {
	for _, name := range []struct{ field, value string }{
		{"id", e.ID}, {"task name", e.Task}, {"queue", e.Queue},
	} {
		if err := validName(name.field, name.value); err != nil {
			return err
		}
	}
	for _, name := range []struct{ field, value string }{
		{"root", e.Root}, {"parent", e.Parent}, {"replayed id", e.ReplayOf},
	} {
		if name.value != "" {
			if err := validName(name.field, name.value); err != nil {
				return err
			}
		}
	}
	if len(e.Ancestors) > MaxAncestors {
		return &OptionError{Option: "ancestors", Value: fmt.Sprint(len(e.Ancestors), " ids"), Want: fmt.Sprint("at most ", MaxAncestors)}
	}
	for _, id := range e.Ancestors {
		if err := validName("ancestor", id); err != nil {
			return err
		}
	}
	if !printable(e.DedupeKey, ' ') || len(e.DedupeKey) > MaxKeyLength {
		return &OptionError{Option: "dedupe key", Value: clip(e.DedupeKey), Want: "at most 401 printable ASCII bytes"}
	}
	if e.Unique != nil {
		if err := e.Unique.validate(); err != nil {
			return err
		}
	}
	if size := headersSize(e.Headers); size > MaxHeaders {
		return &OptionError{Option: "headers", Value: fmt.Sprint(size, " bytes"), Want: "at most 65,536 bytes of keys and values together"}
	}
	if e.Priority < 0 || e.Priority > MaxPriority {
		return &OptionError{Option: "priority", Value: fmt.Sprint(e.Priority), Want: "0 to 9"}
	}
	if e.MaxRetries < 0 {
		return &OptionError{Option: "max retries", Value: fmt.Sprint(e.MaxRetries), Want: "0 or more"}
	}
	if min(e.Delay, e.ExpiresIn, e.Timeout, e.SoftTimeout, e.HeartbeatTimeout, e.Visibility, e.KeepResult, e.RetryFor, e.DedupeWindow) < 0 {
		return e.negative()
	}
	if e.Timeout > 0 && e.SoftTimeout >= e.Timeout {
		return &OptionError{Option: "soft timeout", Value: e.SoftTimeout.String(), Want: fmt.Sprint("less than the timeout, which is ", e.Timeout)}
	}
	if e.Limit != nil {
		if err := e.Limit.validate(); err != nil {
			return err
		}
	}
	if e.Links != nil {
		if err := e.validateLinks(); err != nil {
			return err
		}
	}
	return e.Backoff.validate()
}

// negative reports the first duration that is less than zero.
func (e *Envelope) negative() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"delay", e.Delay}, {"expiry", e.ExpiresIn}, {"timeout", e.Timeout},
		{"soft timeout", e.SoftTimeout}, {"heartbeat timeout", e.HeartbeatTimeout}, {"visibility", e.Visibility},
		{"result retention", e.KeepResult}, {"retry budget", e.RetryFor}, {"dedupe window", e.DedupeWindow},
	} {
		if d.value < 0 {
			return &OptionError{Option: d.field, Value: d.value.String(), Want: "zero or a positive duration"}
		}
	}
	return nil
}

// ValidateName reports a name that no store takes: an id, a task name or a queue is 1 to MaxIDLength printable ASCII bytes
// without spaces. The error, an *OptionError, calls it by field, and shows it shortened and escaped.
func ValidateName(field, name string) error { return validName(field, name) }

// validName checks the one alphabet of ids, task names and queues: printable
// ASCII without the space, so that every store, shell and log shows them alike.
func validName(field, s string) error {
	if s == "" || len(s) > MaxIDLength {
		return &OptionError{Option: field, Value: clip(s), Want: "1 to 200 printable ASCII bytes"}
	}
	if !printable(s, '!') {
		return &OptionError{Option: field, Value: clip(s), Want: "printable ASCII without spaces"}
	}
	return nil
}

// printable reports whether s is of bytes from least to '~'.
func printable(s string, least byte) bool {
	for i := range len(s) {
		if s[i] < least || s[i] > '~' {
			return false
		}
	}
	return true
}

// clip shortens a value for an error text and escapes what a terminal would obey.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%.*q… (%d bytes)", most, s, len(s))
	}
	return fmt.Sprintf("%q", s)
}
