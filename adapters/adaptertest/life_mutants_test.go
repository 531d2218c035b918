package adaptertest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

var lifeMutants = []mutant{
	{"never lets a session lapse", request(func(req *stem.ReceiveRequest) { req.Session.Lease *= 1000 }), []string{
		"Broker/an expired lease is delivered again and counted",
		"Broker/a blocked receive is woken by the lapse of another session",
		"Broker/a lapse is found by another connection",
		"Broker/only the session that lapsed is robbed",
		"Broker/a shorter visibility than the lease changes nothing",
		"Broker/interruptions add up over takeovers",
	}},

	{"lets sessions lapse at once", request(func(req *stem.ReceiveRequest) { req.Session.Lease /= 10_000 }), []string{
		"Broker/a live session is never robbed",
		"Broker/a receive opens its session again after a lapse",
		"Broker/a shorter visibility than the lease changes nothing",
	}},

	{"extends nothing", broker(func(b *faultyBroker) {
		b.extend = func(context.Context, stem.Session, []stem.Delivery) ([]stem.Notice, error) { return nil, nil }
	}), []string{
		"Broker/an extended session keeps what it holds",
		"Broker/one extension keeps all that a session holds",
		"Broker/only the session that lapsed is robbed",
		"Broker/a lapsed session that nobody robbed may come back",
		"Broker/visibility counts from when its worker was last heard of",
		"Broker/notices name the lost deliveries",
	}},

	{"extends only what is named", broker(func(b *faultyBroker) {
		b.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
			if len(held) == 0 {
				return nil, nil
			}
			return b.Broker.Extend(ctx, s, held...)
		}
	}), []string{"Broker/one extension keeps all that a session holds"}},

	{"adds extensions up", broker(func(b *faultyBroker) {
		times := time.Duration(1)
		b.session = func(s *stem.Session) { times++; s.Lease *= times }
	}), []string{"Broker/an extension counts from now"}},

	{"refuses what a lapsed session settles", broker(forgetLapsed), []string{
		"Broker/a lapsed session that nobody robbed may settle",
		"Broker/a lapsed session that nobody robbed may come back",
	}},

	{"names the wrong delivery in a notice", broker(func(b *faultyBroker) {
		b.notices = func(ns []stem.Notice) []stem.Notice {
			for i := range ns {
				ns[i].Index = 0
			}
			return ns
		}
	}), []string{"Broker/notices name the lost deliveries"}},

	{"takes what is gone for settled by whoever asks", broker(func(b *faultyBroker) {
		gone := map[string]bool{}
		b.settlement = func(s *stem.Settlement) { gone[s.Delivery.ID] = true }
		b.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
			ns, err := b.Broker.Extend(ctx, s, held...)
			return slices.DeleteFunc(ns, func(n stem.Notice) bool { return gone[held[n.Index].ID] }), err
		}
	}), []string{"Broker/notices name what somebody else has settled"}},

	{"gives every notice", broker(func(b *faultyBroker) {
		b.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
			_, err := b.Broker.Extend(ctx, s, held...)
			ns := make([]stem.Notice, len(held))
			for i := range ns {
				ns[i] = stem.Notice{Index: i, Cause: stem.ErrLeaseLost}
			}
			return ns, err
		}
	}), []string{"Broker/notices name the lost deliveries", "Broker/an extended session keeps what it holds"}},

	{"counts no interruptions", delivery(func(d *stem.Delivery) { d.Interruptions = 0 }), []string{
		"Broker/an expired lease is delivered again and counted",
		"Broker/lapsed deliveries are taken over only by those who know them",
		"Broker/interruptions add up over takeovers",
		"Broker/a release keeps the count of interruptions",
		"Broker/a verdict starts the count of interruptions anew",
	}},

	{"never takes an interruption back", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			lost := &stem.PartialError{}
			for i, s := range ss {
				// What is refused is refused before the store hears of it.
				ns, _ := b.Extend(ctx, stem.Session{ID: s.Delivery.Session, Lease: time.Minute}, s.Delivery)
				if len(ns) > 0 {
					lost.Items = append(lost.Items, stem.ItemError{Index: i, Err: stem.ErrLeaseLost})
				} else if err := b.Broker.Settle(ctx, s); err != nil {
					return err
				}
			}
			if lost.Items != nil {
				return lost
			}
			return nil
		}
	}), []string{
		"Broker/a refused settlement takes its interruption back",
		"Broker/a refused settlement takes back no other interruption",
	}},

	{"takes all interruptions back at a refusal", broker(func(b *faultyBroker) {
		forgiven := map[string]int{}
		counted := map[string]int{}
		b.delivery = func(d *stem.Delivery) {
			counted[d.ID] = d.Interruptions
			d.Interruptions = max(0, d.Interruptions-forgiven[d.ID])
		}
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			err := b.Broker.Settle(ctx, ss...)
			for i, s := range ss {
				if stem.ItemErr(err, i) != nil {
					forgiven[s.Delivery.ID] = counted[s.Delivery.ID]
				}
			}
			return err
		}
	}), []string{"Broker/a refused settlement takes back no other interruption"}},

	{"does not listen to who is leaving", broker(func(b *faultyBroker) {
		b.session = func(s *stem.Session) { s.Leaving = false }
	}), []string{"Broker/what a leaving session leaves behind was not interrupted"}},

	{"never forgets that somebody was leaving", broker(func(b *faultyBroker) {
		leaving := map[string]bool{}
		b.session = func(s *stem.Session) {
			leaving[s.ID] = leaving[s.ID] || s.Leaving
			s.Leaving = leaving[s.ID]
		}
	}), []string{"Broker/a session that stays after all is not leaving"}},

	{"counts an interruption as an attempt", delivery(func(d *stem.Delivery) { d.Attempt += d.Interruptions }),
		[]string{"Broker/an expired lease is delivered again and counted"}},

	{"counts interruptions for ever", broker(func(b *faultyBroker) {
		total := 0
		b.delivery = func(d *stem.Delivery) {
			if d.Interruptions > 0 {
				total++
			}
			d.Interruptions = total
		}
	}), []string{"Broker/a verdict starts the count of interruptions anew"}},

	{"never marks what is too late", delivery(func(d *stem.Delivery) { d.Expired = false }), []string{
		"Broker/an envelope that is too late is lent and marked",
		"Broker/expiry counts from the publication, not from when it was due",
	}},

	{"lets the time to expiry begin with the end of the delay", envelope(func(e *stem.Envelope) {
		if e.ExpiresIn > 0 {
			e.ExpiresIn += e.Delay
		}
	}), []string{"Broker/expiry counts from the publication, not from when it was due"}},

	{"lends nothing that is too late", broker(func(b *faultyBroker) {
		b.deliveries = func(ds []stem.Delivery) []stem.Delivery {
			kept := ds[:0]
			for _, d := range ds {
				if !d.Expired {
					kept = append(kept, d)
				}
			}
			return kept
		}
	}), []string{"Broker/an envelope that is too late is lent and marked"}},

	{"gives the whole time to expiry at every delivery", delivery(func(d *stem.Delivery) { d.StartWithin = d.ExpiresIn }),
		[]string{"Broker/a delivery tells how long its task may still start"}},

	{"forgets when it published", delivery(func(d *stem.Delivery) { d.Age = 0 }),
		[]string{"Broker/a delivery tells how long ago its envelope was published"}},

	{"counts the age from when the envelope was due", delivery(func(d *stem.Delivery) { d.Age = d.Waited }),
		[]string{"Broker/a delivery tells how long ago its envelope was published"}},

	{"forgets marks", delivery(func(d *stem.Delivery) { d.Marks = nil }), []string{
		"Broker/marks come back with the next delivery",
		"Broker/marks replace earlier ones",
		"Broker/a release keeps the marks that stand, or brings its own",
		"Broker/marks survive an interruption",
	}},

	{"cuts marks at 4 KiB", settlement(func(s *stem.Settlement) {
		s.Marks = maps.Clone(s.Marks)
		for key, value := range s.Marks {
			s.Marks[key] = value[:min(len(value), 4<<10)]
		}
	}), []string{"Broker/marks of eight KiB come back whole"}},

	{"forgets the marks of the interrupted", delivery(func(d *stem.Delivery) {
		if d.Interruptions > 0 {
			d.Marks = nil
		}
	}), []string{"Broker/marks survive an interruption"}},

	{"adds marks to those that stand", settlement(func(s *stem.Settlement) {
		marks := map[string]string{}
		for _, from := range []map[string]string{s.Delivery.Marks, s.Marks} {
			for k, v := range from {
				marks[k] = v
			}
		}
		s.Marks = marks
	}), []string{"Broker/marks replace earlier ones", "Broker/a release keeps the marks that stand, or brings its own"}},
}

// forgetLapsed has a clock of its own for sessions and is too strict with it:
// what lapsed is lost, whether or not anybody has taken it over.
func forgetLapsed(b *faultyBroker) {
	heard := map[string]time.Time{}
	lapsed := func(id string) bool { return time.Since(heard[id]) > time.Minute }
	b.delivery = func(d *stem.Delivery) { heard[d.Session] = time.Now() }
	b.settle = func(ctx context.Context, ss []stem.Settlement) error {
		if lapsed(ss[0].Delivery.Session) {
			return &stem.PartialError{Items: []stem.ItemError{{Err: stem.ErrLeaseLost}}}
		}
		return b.Broker.Settle(ctx, ss...)
	}
	b.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
		if lapsed(s.ID) && len(held) > 0 {
			return []stem.Notice{{Index: 0, Cause: stem.ErrLeaseLost}}, nil
		}
		return b.Broker.Extend(ctx, s, held...)
	}
}

// perConnection knows a delivery only where it was received.
func perConnection(s *adaptertest.Stores) {
	connection := func() *faultyBroker {
		b := &faultyBroker{Broker: s.Broker}
		mine := map[string]bool{}
		b.delivery = func(d *stem.Delivery) { mine[d.ID] = true }
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			if !mine[ss[0].Delivery.ID] {
				return &stem.PartialError{Items: []stem.ItemError{{Err: stem.ErrLeaseLost}}}
			}
			return b.Broker.Settle(ctx, ss...)
		}
		return b
	}
	peer := *s
	peer.Broker = connection()
	s.Broker = connection()
	s.Peer = withPeer(peer)
}
