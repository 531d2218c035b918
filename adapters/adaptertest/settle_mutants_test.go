package adaptertest_test

import (
	"context"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

var everyFence = []string{
	"Broker/ack of a lost delivery is refused",
	"Broker/retry of a lost delivery is refused",
	"Broker/snooze of a lost delivery is refused",
	"Broker/a dead letter of a lost delivery is refused",
	"Broker/release of a lost delivery is refused",
	"Broker/an old delivery is refused though its session holds the envelope again",
	"Broker/coming back does not win back what was taken over",
	"Broker/a lost delivery in a batch is named, and the others are settled",
	"Broker/what was recovered fences the delivery before it",
}

var settleMutants = []mutant{
	{"settles without a fence", broker(dropFence), everyFence},

	{"hides lost leases", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error { return forgive(b.Broker.Settle(ctx, ss...)) }
	}), append([]string{
		"Broker/a delivery is lost after its successor has settled it",
		"Broker/a second, different settlement is refused",
	}, everyFence...)},

	{"names no item of a batch", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			return stem.ItemErr(b.Broker.Settle(ctx, ss...), 0)
		}
	}), []string{"Broker/a lost delivery in a batch is named, and the others are settled"}},

	{"gives up a batch at the first lost delivery", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			return oneByOne(ss, func(s stem.Settlement) error { return b.Broker.Settle(ctx, s) })
		}
	}), []string{"Broker/a lost delivery in a batch is named, and the others are settled"}},

	{"settles a batch by its first verdict", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			for i := range ss {
				ss[i].Verdict = ss[0].Verdict
			}
			return b.Broker.Settle(ctx, ss...)
		}
	}), []string{"Broker/a batch is settled each by its own verdict"}},

	{"retries by publishing a copy", broker(func(b *faultyBroker) { b.settle = b.copyBack }), []string{
		"Broker/retry adds an attempt and waits its delay",
		"Broker/a settlement that is repeated does nothing more",
		"Broker/a delivery that stands twice in a batch is settled once",
		"Broker/counters add up over a long life",
		"Broker/a second, different settlement is refused",
	}},

	{"releases what is done", settlement(instead(stem.VerdictAck, stem.VerdictRelease)),
		[]string{"Broker/ack removes the envelope"}},
	{"snoozes retries", settlement(instead(stem.VerdictRetry, stem.VerdictSnooze)),
		[]string{"Broker/retry adds an attempt and waits its delay", "Broker/a batch is settled each by its own verdict"}},
	{"retries snoozes", settlement(instead(stem.VerdictSnooze, stem.VerdictRetry)),
		[]string{"Broker/snooze costs no attempt and waits its delay", "Broker/counters add up over a long life"}},
	{"retries dead letters", settlement(instead(stem.VerdictDeadLetter, stem.VerdictRetry)),
		[]string{"Broker/a dead letter is taken out of the queue"}},
	{"snoozes releases", settlement(instead(stem.VerdictRelease, stem.VerdictSnooze)), []string{
		"Broker/release keeps the attempt and comes back at once",
		"Broker/a release keeps the count of interruptions",
		"Broker/a release keeps the marks that stand, or brings its own",
	}},

	{"takes a verdict that is none for an ack", settlement(instead(0, stem.VerdictAck)), []string{"Broker/a verdict that is none is refused alone"}},

	{"ignores a settlement's delay", settlement(func(s *stem.Settlement) { s.Delay = 0 }), []string{
		"Broker/retry adds an attempt and waits its delay",
		"Broker/snooze costs no attempt and waits its delay",
		"Broker/release waits its delay",
	}},

	{"lets what comes back wait", settlement(func(s *stem.Settlement) { s.Delay += 30 * time.Second }),
		[]string{"Broker/a blocked receiver is woken by what comes back at once", "Broker/release keeps the attempt and comes back at once"}},

	{"puts releases behind their equals", settlement(func(s *stem.Settlement) { s.Delay += time.Nanosecond }),
		[]string{"Broker/released envelopes come back in their old place"}},

	{"settles only what this connection has received", perConnection,
		[]string{"Broker/a delivery may be settled by another connection"}},

	{"numbers the deliveries of each life from 1", broker(numberLives),
		[]string{
			"Broker/the delivery number never goes back, also when an id is published again",
			"Broker/delivery numbers follow the store's clock",
		}},

	{"numbers nothing", broker(func(b *faultyBroker) {
		renumber(b, func(stem.Delivery) int64 { return 1 })
	}), []string{
		"Broker/an expired lease is delivered again and counted",
		"Broker/retry adds an attempt and waits its delay",
		"Broker/recover lends again what an answer lost took along",
	}},

	{"counts no further than one", delivery(func(d *stem.Delivery) {
		d.Snoozes, d.Releases, d.Attempt = min(d.Snoozes, 1), min(d.Releases, 1), min(d.Attempt, 2)
	}), []string{"Broker/counters add up over a long life"}},

	{"loses the headers of what comes back", delivery(func(d *stem.Delivery) {
		if d.Attempt > 1 {
			d.Headers = nil
		}
	}), []string{"Broker/an envelope that came back is as it was published"}},
}

// instead gives a hook that takes one verdict for another.
func instead(given, taken stem.Verdict) func(s *stem.Settlement) {
	return func(s *stem.Settlement) {
		if s.Verdict == given {
			s.Verdict = taken
		}
	}
}

// dropFence takes every settlement of an id for one of its latest delivery.
func dropFence(b *faultyBroker) {
	var mu sync.Mutex
	latest := map[string]stem.Delivery{}
	b.delivery = func(d *stem.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		latest[d.ID] = *d
	}
	b.settlement = func(s *stem.Settlement) {
		mu.Lock()
		defer mu.Unlock()
		s.Delivery = latest[s.Delivery.ID]
	}
}

// copyBack drops what comes back and publishes it again.
func (b *faultyBroker) copyBack(ctx context.Context, ss []stem.Settlement) error {
	for _, s := range ss {
		back := s.Verdict == stem.VerdictRetry || s.Verdict == stem.VerdictSnooze || s.Verdict == stem.VerdictRelease
		if !back {
			if err := b.Broker.Settle(ctx, s); err != nil {
				return err
			}
			continue
		}
		e := *s.Delivery.Envelope
		e.Delay, e.DedupeKey = s.Delay, ""
		s.Verdict = stem.VerdictAck
		_ = b.Broker.Settle(ctx, s)
		if _, err := b.Broker.Publish(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// renumber gives deliveries numbers of its own and finds those of the store
// again by the receipt.
func renumber(b *faultyBroker, number func(d stem.Delivery) int64) {
	b.delivery = func(d *stem.Delivery) {
		inner := *d
		d.Receipt, d.Number = inner, number(inner)
	}
	b.settlement = func(s *stem.Settlement) { s.Delivery = s.Delivery.Receipt.(stem.Delivery) }
	b.request = func(req *stem.ReceiveRequest) {
		for i, d := range req.Held {
			req.Held[i] = d.Receipt.(stem.Delivery)
		}
	}
}

// numberLives counts the receives of an envelope, not of its id.
func numberLives(b *faultyBroker) {
	numbers := map[string]int64{}
	renumber(b, func(d stem.Delivery) int64 {
		numbers[d.ID]++
		return numbers[d.ID]
	})
	b.envelope = func(e *stem.Envelope) { numbers[e.ID] = 0 }
}
