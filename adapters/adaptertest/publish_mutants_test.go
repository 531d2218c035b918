package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

var publishMutants = []mutant{
	{"stores every envelope twice", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			_, _ = b.Broker.Publish(ctx, envs...)
			return b.Broker.Publish(ctx, envs...)
		}
	}), []string{"Broker/a published envelope is received once"}},

	{"answers a batch in reverse", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			ps, err := b.Broker.Publish(ctx, envs...)
			slices.Reverse(ps)
			return ps, err
		}
	}), []string{"Broker/a batch is answered and received in order"}},

	{"stores a batch in reverse", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			slices.Reverse(envs)
			ps, err := b.Broker.Publish(ctx, envs...)
			slices.Reverse(ps)
			return ps, err
		}
	}), []string{
		"Broker/a batch is answered and received in order",
		"Broker/publishers may run at the same time",
		"Broker/equals come first in, first out, over many batches",
		"Broker/an envelope set aside comes to a receiver that knows it, in order",
	}},

	{"makes headers valid UTF-8", delivery(func(d *stem.Delivery) {
		clean := map[string]string{}
		for k, v := range d.Headers {
			clean[strings.ToValidUTF8(k, "?")] = strings.ToValidUTF8(v, "?")
		}
		d.Headers = clean
	}), []string{"Broker/an envelope comes back as it was published"}},

	{"rounds durations to milliseconds", delivery(func(d *stem.Delivery) {
		d.Timeout = d.Timeout.Truncate(time.Millisecond)
	}), []string{"Broker/an envelope comes back as it was published"}},

	{"cuts payloads at 64 KiB", envelope(func(e *stem.Envelope) {
		e.Payload = e.Payload[:min(len(e.Payload), 1<<16)]
	}), []string{"Broker/a payload of one MiB comes back byte for byte"}},

	{"cuts a queue's name at a colon", broker(func(b *faultyBroker) {
		b.envelope = func(e *stem.Envelope) { e.Queue, _, _ = strings.Cut(e.Queue, ":") }
		b.request = func(req *stem.ReceiveRequest) {
			for i := range req.Queues {
				req.Queues[i], _, _ = strings.Cut(req.Queues[i], ":")
			}
		}
	}), []string{"Broker/queues of every allowed name are kept apart"}},

	{"takes names for patterns", request(func(req *stem.ReceiveRequest) {
		if req.Tasks.Has("q*", 0) {
			req.Tasks = nil
		}
	}), []string{"Broker/tasks of every allowed name are kept apart"}},

	{"overflows when a delay is added to the clock", envelope(func(e *stem.Envelope) {
		if e.Delay > 1<<62 {
			e.Delay = 0
		}
	}), []string{"Broker/the longest durations are carried"}},

	{"keeps the caller's slice", broker(keepsSlice),
		[]string{"Broker/the caller keeps the slice that it published"}},

	{"refuses an empty batch", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			if len(envs) == 0 {
				return nil, errors.New("nothing to publish")
			}
			return b.Broker.Publish(ctx, envs...)
		}
	}), []string{"Broker/an empty batch is no error"}},

	{"takes every priority for the lowest", broker(func(b *faultyBroker) {
		b.envelope = func(e *stem.Envelope) { e.Priority = 0 }
	}), []string{
		"Broker/higher priorities come first",
		"Broker/a higher priority that comes later overtakes",
		"Broker/a delayed envelope that is due has its priority",
		"Broker/an envelope set aside has its priority",
		"Broker/an envelope set aside for its schema has its priority",
	}},

	{"ignores delays", envelope(func(e *stem.Envelope) { e.Delay = 0 }), []string{
		"Broker/a delayed envelope is due when its delay is over, and not before",
		"Broker/a blocked receive is woken by a delay that ends",
		"Broker/a delayed envelope of an unknown task waits for its delay and a receiver",
	}},

	{"doubles delays", envelope(func(e *stem.Envelope) { e.Delay *= 2 }), []string{
		"Broker/a delayed envelope is due when its delay is over, and not before",
	}},

	{"ignores visibility", envelope(func(e *stem.Envelope) { e.Visibility = 0 }), []string{
		"Broker/a longer visibility is respected",
		"Broker/visibility counts from when its worker was last heard of",
	}},

	{"lets the dedupe key go", envelope(func(e *stem.Envelope) { e.DedupeKey = "" }), []string{
		"Broker/a duplicate within the window is not stored, and told the id that stands",
		"Broker/a batch may hold an envelope and its duplicate",
		"Broker/a publish with a dedupe key may be repeated",
		"Broker/a duplicate is one while the first runs and between its attempts",
		"Broker/a duplicate changes nothing about the first",
		"Broker/a duplicate is one although the first is done",
		"Broker/of duplicates published at the same time one is stored",
	}},

	{"never ends a dedupe window", envelope(func(e *stem.Envelope) { e.DedupeWindow *= 1000 }), []string{
		"Broker/the window is over after its time",
		"Broker/a duplicate does not prolong the window",
	}},

	{"tells a duplicate its own id", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			ps, err := b.Broker.Publish(ctx, envs...)
			for i := range ps {
				ps[i].ID = envs[i].ID
			}
			return ps, err
		}
	}), []string{"Broker/a duplicate within the window is not stored, and told the id that stands"}},

	{"prolongs the window by a duplicate", broker(func(b *faultyBroker) {
		dedupeBy(b, func(e stem.Envelope) string { return e.Queue + " " + e.DedupeKey })
	}), []string{"Broker/a duplicate does not prolong the window"}},

	{"has one window for all queues", broker(func(b *faultyBroker) {
		dedupeBy(b, func(e stem.Envelope) string { return e.DedupeKey })
	}), []string{"Broker/deduplication is per queue and per key"}},

	{"takes an empty key for a key", broker(func(b *faultyBroker) {
		dedupeBy(b, func(e stem.Envelope) string { return e.Queue + " " + e.DedupeKey })
	}), []string{"Broker/without key or window nothing is a duplicate"}},
}

// keepsSlice stores what a publish was given when somebody asks for it.
func keepsSlice(b *faultyBroker) {
	var kept []stem.Envelope
	b.publish = func(_ context.Context, envs []stem.Envelope) ([]stem.Published, error) {
		kept = envs
		ps := make([]stem.Published, len(envs))
		for i, e := range envs {
			ps[i].ID = e.ID
		}
		return ps, nil
	}
	b.receive = func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
		for i, e := range kept {
			e.Task, e.Queue = "exam.task", "default"
			e.ID = fmt.Sprintf("%s#%d", e.ID, i)
			_, _ = b.Broker.Publish(ctx, e)
		}
		kept = nil
		return b.Broker.Receive(ctx, req)
	}
}

// dedupeBy deduplicates by a scope of its own, and wrongly: each publish opens
// the window anew, and every key is one.
func dedupeBy(b *faultyBroker, scope func(e stem.Envelope) string) {
	type stand struct {
		id    string
		until time.Time
	}
	stands := map[string]stand{}
	b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
		ps := make([]stem.Published, len(envs))
		for i, e := range envs {
			first, key := stands[scope(e)], scope(e)
			if first.until.After(time.Now()) {
				ps[i] = stem.Published{ID: first.id, Duplicate: true}
			} else {
				first.id, ps[i].ID = e.ID, e.ID
				e.DedupeKey = ""
				if _, err := b.Broker.Publish(ctx, e); err != nil {
					return nil, err
				}
			}
			stands[key] = stand{first.id, time.Now().Add(e.DedupeWindow)}
		}
		return ps, nil
	}
}
