package postgres

import (
	"context"
	"math"
	"time"

	"github.com/gostem/gostem/stem"
)

// Publish stores envelopes by one statement, and with it all of them or none. Where some have dedupe keys, it is a function that
// takes the keys first. The commit is synchronous as the server is configured: what it has answered stays.
func (s *Store) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if len(envs) == 0 {
		return nil, nil
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	published, err := publish(ctx, s.on, &s.sql, s.offset.Load(), true, envs)
	for try := 1; code(err) == "40P01" && try < mostPublishes; try++ { // deadlock_detected: nothing of it is stored
		published, err = publish(ctx, s.on, &s.sql, s.offset.Load(), true, envs)
	}
	if err != nil {
		return nil, s.failed("publish", err)
	}
	s.announce(envs)
	return published, nil
}

// mostPublishes is how often a publish is made that the server ends since it and another one wait for each other.
const mostPublishes = 5

// announce tells receivers of envelopes that are stored.
func (s *Store) announce(envs []stem.Envelope) {
	for _, queue := range queuesToTell(envs) {
		s.announceQueue(queue)
	}
}

// announceQueue lets those look that wait for a queue, here and elsewhere.
func (s *Store) announceQueue(queue string) {
	s.waiting.wake(queue)
	s.notifier.notify(workChannel, queue)
}

// publish stores envelopes, through the store's pool or in a transaction of the user's. Lists are what the store's own connections
// take; those of users may be in a mode that knows only slices.
func publish(ctx context.Context, on executor, sql *statements, offset int64, lists bool, envs []stem.Envelope) ([]stem.Published, error) {
	published := make([]stem.Published, len(envs))
	keyed, unique := false, false
	for i := range envs {
		published[i].ID = envs[i].ID
		keyed, unique = keyed || dedupes(&envs[i]), unique || envs[i].Unique != nil
	}
	if len(envs) == 1 && !keyed && !unique {
		return published, publishOne(ctx, on, sql, offset, &envs[0])
	}
	r := newEnvelopeRows(envs)
	columns := []any{r.delays, r.prints, r.sizes, r.priorities, r.queues, r.tasks, r.visibilities, r.envelopes}
	if lists {
		columns = []any{listOf(r.delays), listOf(r.prints), listOf(r.sizes), listOf(r.priorities), listOf(r.queues), listOf(r.tasks), listOf(r.visibilities), listOf(r.envelopes)}
	}
	if !keyed && !unique {
		return published, on.exec(ctx, sql.publish, append([]any{offset}, columns...)...)
	}
	ids, keys, windows := keysOf(envs)
	if unique {
		return published, publishUnique(ctx, on, sql, append([]any{offset, ids, keys, windows}, columns...), envs, published)
	}
	err := on.query(ctx, func(scan func(...any) error) error {
		var place int
		var id string
		if err := scan(&place, &id); err != nil {
			return err
		}
		published[place] = stem.Published{ID: id, Duplicate: true}
		return nil
	}, sql.publishKeyed, append([]any{offset, ids, keys, windows}, columns...)...)
	if err != nil {
		return nil, err
	}
	return published, nil
}

func publishOne(ctx context.Context, on executor, sql *statements, offset int64, e *stem.Envelope) error {
	return on.exec(ctx, sql.publishOne, offset, micros(e.Delay), print(e), size(e), int16(e.Priority), e.Queue, e.Task, visibility(e),
		stem.AppendEnvelope(make([]byte, 0, 160+len(e.Payload)), e))
}

func dedupes(e *stem.Envelope) bool { return e.DedupeKey != "" && e.DedupeWindow > 0 }

func keysOf(envs []stem.Envelope) (ids []string, keys []*string, windows []int64) {
	ids, keys, windows = make([]string, len(envs)), make([]*string, len(envs)), make([]int64, len(envs))
	for i := range envs {
		ids[i], windows[i] = envs[i].ID, micros(envs[i].DedupeWindow)
		if dedupes(&envs[i]) {
			keys[i] = &envs[i].DedupeKey
		}
	}
	return ids, keys, windows
}

// envelopeRows are envelopes by column.
type envelopeRows struct {
	delays       []int64
	prints       []*int64
	sizes        []int32
	priorities   []int16
	queues       []string
	tasks        []string
	visibilities []*int64
	envelopes    [][]byte
}

func newEnvelopeRows(envs []stem.Envelope) *envelopeRows {
	n, bytes := len(envs), 0
	for i := range envs {
		bytes += 160 + len(envs[i].Payload)
	}
	r := &envelopeRows{
		delays: make([]int64, n), prints: make([]*int64, n), sizes: make([]int32, n), priorities: make([]int16, n),
		queues: make([]string, n), tasks: make([]string, n), visibilities: make([]*int64, n), envelopes: make([][]byte, n),
	}
	all := make([]byte, 0, bytes)
	for i := range envs {
		e := &envs[i]
		r.delays[i], r.prints[i], r.sizes[i], r.priorities[i] = micros(e.Delay), print(e), size(e), int16(e.Priority)
		r.queues[i], r.tasks[i], r.visibilities[i] = e.Queue, e.Task, visibility(e)
		begin := len(all)
		all = stem.AppendEnvelope(all, e)
		r.envelopes[i] = all[begin:len(all):len(all)]
	}
	return r
}

// print gives the fingerprint as the server has it: NULL where it is unknown.
func print(e *stem.Envelope) *int64 {
	if e.Fingerprint == 0 {
		return nil
	}
	f := int64(e.Fingerprint)
	return &f
}

func size(e *stem.Envelope) int32 { return int32(min(len(e.Payload), math.MaxInt32)) }

func visibility(e *stem.Envelope) *int64 { return microsOrNull(e.Visibility) }

// microsOrNull gives a duration in microseconds, NULL for none.
func microsOrNull(d time.Duration) *int64 {
	if d <= 0 {
		return nil
	}
	us := micros(d)
	return &us
}
