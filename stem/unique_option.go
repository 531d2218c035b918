package stem

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Unique makes the task the only one of its kind on its queue, UntilDone or UntilStarted
// (for UntilTime see UniqueFor). Of one kind are tasks of the same name with the same args,
// unless UniqueBy or UniqueKey says otherwise. What becomes of another one says OnConflict.
// 0 makes a task not unique whose definition says that it is.
//
// Uniqueness is about what is enqueued: delivery is at-least-once all the same, so
// a task may still run again after a crash.
func Unique(until UniqueUntil) Option {
	return func(e *draft) { e.uniqueness().last(until, 0) }
}

// UniqueFor makes the task the only one of its kind on its queue that is enqueued within d,
// counted from the enqueue of the first, also when that is done. When the first fails for
// good or is cancelled, the next may come at once. 0 makes a task not unique whose
// definition says that it is.
func UniqueFor(d time.Duration) Option {
	return func(e *draft) {
		until := UntilTime
		if d == 0 {
			until = 0
		}
		e.uniqueness().last(until, d)
	}
}

// UniqueAtMost bounds for how long a task that is Unique holds its key, counted from its
// enqueue: a task that waits for days behind a queue that is paused, or hangs, keeps no
// other from being enqueued for longer than that. 0, the default, means no bound.
func UniqueAtMost(d time.Duration) Option {
	return func(e *draft) { e.uniqueness().atMost = d }
}

// UniqueBy lets fewer args decide: tasks are of one kind if the fields that are named are
// equal. Fields have the names that they have on the wire, as for a struct of
// stemgen its keys; "user.id" is a field of a field. One that an args value does not have counts
// as nil. None means all args again.
func UniqueBy(fields ...string) Option {
	return func(e *draft) {
		u := e.uniqueness()
		u.fields, u.key = fields, ""
	}
}

// UniqueKey (1–200 printable ASCII bytes) says by itself what the task's kind is: tasks of the same
// name with the same key on the same queue are one. "" takes back the key of the task definition, and is
// an error where there is none.
func UniqueKey(key string) Option {
	return func(e *draft) {
		u := e.uniqueness()
		e.takesBack("unique key", u.key, key)
		u.key, u.fields = key, nil
	}
}

// OnConflict says what becomes of a unique task of whose kind there is one already. The
// default is ConflictExisting.
func OnConflict(c Conflict) Option {
	return func(e *draft) { e.uniqueness().conflict = c }
}

// uniqueDraft is what options say about uniqueness.
type uniqueDraft struct {
	until    UniqueUntil
	off      bool // somebody said 0
	span     time.Duration
	atMost   time.Duration
	fields   []string
	key      string
	conflict Conflict
}

// uniqueness gives what options have said about uniqueness so far.
func (e *draft) uniqueness() *uniqueDraft {
	if e.unique == nil {
		e.unique = new(uniqueDraft)
	}
	return e.unique
}

func (u *uniqueDraft) last(until UniqueUntil, span time.Duration) {
	u.until, u.span, u.off = until, span, until == 0
}

// makeUnique gives the envelope what its options say about uniqueness. Its task, args and
// queue are known by now.
func (e *draft) makeUnique(client *Client) error {
	u := e.unique
	switch {
	case u == nil || u.off:
		return nil
	case u.until == 0:
		return &OptionError{Option: "UniqueBy, UniqueKey, UniqueAtMost or OnConflict", Value: "alone", Want: "Unique or UniqueFor beside it: it says nothing by itself"}
	case u.until == UntilTime && u.span == 0:
		return &OptionError{Option: "Unique", Value: "UntilTime", Want: "UniqueFor, which says for how long"}
	case u.atMost != 0 && u.until == UntilTime:
		return &OptionError{Option: "UniqueAtMost", Value: u.atMost.String(), Want: "Unique beside it: UniqueFor says for how long already"}
	}
	kind, err := u.kind(e.Payload)
	if err != nil {
		return err
	}
	e.Unique = &Uniqueness{Key: e.Task + " " + kind, Until: u.until, For: u.span + u.atMost, OnConflict: u.conflict}
	if client != nil {
		return client.mustKeepUnique(e.Envelope)
	}
	return nil
}

// needsArgs reports whether the args decide what the task's kind is.
func (u *uniqueDraft) needsArgs() bool { return u != nil && u.until != 0 && u.key == "" }

// kind gives what tells tasks of one name apart.
func (u *uniqueDraft) kind(payload []byte) (string, error) {
	switch {
	case u.key != "":
		return u.key, validName("unique key", u.key)
	case len(u.fields) > 0:
		return hashFields(payload, u.fields)
	default:
		return hashPayload(payload), nil
	}
}

// mustKeepUnique refuses a unique envelope for a broker that cannot keep its key.
func (c *Client) mustKeepUnique(e *Envelope) error {
	if e.Unique == nil || c.unique != nil {
		return nil
	}
	return fmt.Errorf("stem: task %s is unique, and the broker %T is no stem.UniqueKeeper: enqueue it at one that is, or without Unique", e.Task, c.broker)
}

// conflict gives the error of an enqueue that was refused since its key is held.
func (e *Envelope) conflict(p Published) error {
	if !p.Conflict || e.Unique == nil || e.Unique.OnConflict != ConflictError {
		return nil
	}
	return &UniqueConflictError{Task: e.Task, ID: p.ID}
}

// refuseConflicts adds to what failed the envelopes that were refused since their keys are
// held. err is nil or wraps a *PartialError.
func refuseConflicts(task string, envs []Envelope, answers []Published, err error) error {
	failed := failedItems(err)
	var items []ItemError
	for i := range envs {
		if conflict := envs[i].conflict(answers[i]); conflict != nil && !failed[i] {
			items = append(items, ItemError{i, conflict})
		}
	}
	if items == nil {
		return err
	}
	for i := range failed {
		items = append(items, ItemError{i, ItemErr(err, i)})
	}
	slices.SortFunc(items, func(a, b ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return fmt.Errorf("stem: enqueue task %s: %w", task, &PartialError{items})
}
