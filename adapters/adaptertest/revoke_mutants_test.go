package adaptertest_test

import (
	"context"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// faultyRevocations changes what passes to and from a correct store of revocations.
type faultyRevocations struct {
	faultyBroker
	right   stem.RevocationStore
	revoke  func(rs []stem.Revocation) error
	revoked func(ds []stem.Delivery) []stem.Notice
	closed  error // what is answered for ErrClosed, if set
}

func (f *faultyRevocations) Revoke(ctx context.Context, rs ...stem.Revocation) error {
	if f.revoke != nil {
		return f.revoke(rs)
	}
	return f.orOpen(f.right.Revoke(ctx, rs...))
}

func (f *faultyRevocations) Revoked(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if f.revoked != nil {
		return f.revoked(ds), nil
	}
	ns, err := f.right.Revoked(ctx, ds...)
	return ns, f.orOpen(err)
}

func (f *faultyRevocations) orOpen(err error) error {
	if f.closed != nil && err != nil {
		return f.closed
	}
	return err
}

// revoking makes a fault of what to set on a faulty store of revocations.
func revoking(set func(f *faultyRevocations)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[stem.RevocationStore](s.Broker)
		f := &faultyRevocations{faultyBroker: faultyBroker{Broker: s.Broker}, right: right}
		set(f)
		s.Broker = f
	}
}

// revocation makes a fault of what happens to each revocation before it is stored.
func revocation(change func(r *stem.Revocation)) func(*adaptertest.Stores) {
	return revoking(func(f *faultyRevocations) {
		f.revoke = func(rs []stem.Revocation) error {
			for i := range rs {
				change(&rs[i])
			}
			return f.right.Revoke(context.Background(), rs...)
		}
	})
}

// asked makes a fault of how each delivery looks to Revoked.
func asked(change func(d *stem.Delivery, e *stem.Envelope)) func(*adaptertest.Stores) {
	return revoking(func(f *faultyRevocations) {
		f.revoked = func(ds []stem.Delivery) []stem.Notice {
			for i := range ds {
				e := *ds[i].Envelope
				ds[i].Envelope = &e
				change(&ds[i], &e)
			}
			ns, _ := f.right.Revoked(context.Background(), ds...)
			return ns
		}
	})
}

var revokeMutants = []mutant{
	{"lends what is revoked as if it were not", delivery(func(d *stem.Delivery) { d.Revoked = false }), []string{
		"Capabilities/a revoked envelope is lent as revoked, with the reason",
		"Capabilities/a delayed envelope is lent as revoked when it is due",
		"Capabilities/a revoked envelope stays so through settlements and takeovers",
	}},
	{"forgets the reasons of revocations", revocation(func(r *stem.Revocation) { r.Reason = "" }), []string{
		"Capabilities/a revoked envelope is lent as revoked, with the reason",
		"Capabilities/an extend names the held deliveries that were revoked",
		"Capabilities/of two revocations of a task the later end stands",
		"Capabilities/revoked names the revoked among deliveries of any broker",
	}},
	{"puts what is revoked last", broker(func(b *faultyBroker) {
		b.deliveries = func(ds []stem.Delivery) []stem.Delivery {
			for i := range ds {
				if ds[i].Revoked {
					return append(append(append([]stem.Delivery{}, ds[:i]...), ds[i+1:]...), ds[i])
				}
			}
			return ds
		}
	}), []string{"Capabilities/a revocation does nothing to the envelope but that"}},
	{"lends a revoked delivery once", broker(func(b *faultyBroker) {
		lent := map[string]bool{}
		b.delivery = func(d *stem.Delivery) {
			d.Revoked = d.Revoked && !lent[d.ID]
			lent[d.ID] = true
		}
	}), []string{
		"Capabilities/an envelope is revoked before it is published, and published again",
		"Capabilities/a revoked envelope stays so through settlements and takeovers",
	}},
	{"tells nobody that he holds what is revoked", broker(func(b *faultyBroker) {
		b.notices = func(ns []stem.Notice) []stem.Notice {
			var lost []stem.Notice
			for _, n := range ns {
				if n.Cause == stem.ErrLeaseLost {
					lost = append(lost, n)
				}
			}
			return lost
		}
	}), []string{
		"Capabilities/an extend names the held deliveries that were revoked",
		"Capabilities/a revocation of a family reaches all its generations",
	}},
	{"takes what is lost for revoked", broker(func(b *faultyBroker) {
		b.notices = func(ns []stem.Notice) []stem.Notice {
			for i := range ns {
				ns[i].Cause = stem.ErrRevoked
			}
			return ns
		}
	}), []string{"Capabilities/a lost delivery is lost, revoked or not"}},
	{"settles what is revoked by itself", broker(func(b *faultyBroker) {
		b.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
			ns, err := b.Broker.Extend(ctx, s, held...)
			for _, n := range ns {
				_ = b.Broker.Settle(ctx, stem.Settlement{Delivery: held[n.Index], Verdict: stem.VerdictAck})
			}
			return ns, err
		}
	}), []string{"Capabilities/a revoked delivery is settled as any other"}},
	{"keeps revocations to itself", revoking(func(f *faultyRevocations) {
		f.revoke = func([]stem.Revocation) error { return nil }
	}), []string{"Capabilities/a revocation counts for every connection"}},
	{"revokes on every queue", revoking(func(f *faultyRevocations) {
		f.revoke = func(rs []stem.Revocation) error {
			for _, q := range []string{"default", "other"} {
				for _, r := range rs {
					r.Queue = q
					if err := f.right.Revoke(context.Background(), r); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}), []string{
		"Capabilities/a revocation is about one queue",
		"Capabilities/revoked goes by queue and family",
	}},
	{"revokes families always", revocation(func(r *stem.Revocation) { r.Family = true }),
		[]string{"Capabilities/a revocation of one task leaves its children"}},
	{"revokes no families", revocation(func(r *stem.Revocation) { r.Family = false }), []string{
		"Capabilities/a revocation of a family reaches all its generations",
		"Capabilities/revocations of a task and of its family stand beside each other",
	}},
	{"knows parents only", envelope(func(e *stem.Envelope) { e.Root, e.Ancestors = "", nil }), []string{
		"Capabilities/a revocation of a family reaches all its generations",
		"Capabilities/a revocation of a family leaves those above and beside it",
	}},
	{"revokes a family from its first task on", revoking(func(f *faultyRevocations) {
		f.delivery = func(d *stem.Delivery) { d.Revoked = d.Revoked || d.Root == "a" }
	}), []string{"Capabilities/a revocation of a family leaves those above and beside it"}},
	{"keeps revocations for ever", revocation(func(r *stem.Revocation) { r.For *= 1000 }), []string{
		"Capabilities/a revocation ends after its time",
		"Capabilities/revoked forgets what is over",
	}},
	{"keeps revocations for a minute", revocation(func(r *stem.Revocation) { r.For = min(r.For, time.Minute) }), []string{
		"Capabilities/a delayed envelope is lent as revoked when it is due",
		"Capabilities/a revocation ends after its time",
		"Capabilities/of two revocations of a task the later end stands",
		"Capabilities/revoked forgets what is over",
	}},
	{"keeps the first revocation of a task", revoking(func(f *faultyRevocations) {
		seen := map[string]bool{}
		f.revoke = func(rs []stem.Revocation) error {
			for _, r := range rs {
				if !seen[r.ID] {
					seen[r.ID] = true
					_ = f.right.Revoke(context.Background(), r)
				}
			}
			return nil
		}
	}), []string{
		"Capabilities/of two revocations of a task the later end stands",
		"Capabilities/revocations of a task and of its family stand beside each other",
	}},
	{"refuses a batch for one of its revocations", revoking(func(f *faultyRevocations) {
		f.revoke = func(rs []stem.Revocation) error {
			for i, r := range rs {
				if err := f.right.Revoke(context.Background(), r); err != nil {
					return &stem.PartialError{Items: []stem.ItemError{{Index: i, Err: stem.ItemErr(err, 0)}}}
				}
			}
			return nil
		}
	}), []string{"Capabilities/a revocation without a time is refused, and no other with it"}},
	{"answers revocations after its close", revoking(func(f *faultyRevocations) { f.closed = context.Canceled }), []string{
		"Capabilities/after close revoke answers ErrClosed",
		"Capabilities/after close revoked answers ErrClosed",
	}},
	{"knows revocations of its own deliveries only", asked(func(d *stem.Delivery, e *stem.Envelope) {
		if d.Receipt == nil {
			e.Queue = "nowhere"
		}
	}), []string{"Capabilities/revoked names the revoked among deliveries of any broker"}},
	{"looks at nothing but ids", asked(func(_ *stem.Delivery, e *stem.Envelope) { e.Root, e.Parent, e.Ancestors = "", "", nil }),
		[]string{"Capabilities/revoked goes by queue and family"}},
}
