package adaptertest_test

import (
	"context"
	"errors"
	"slices"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// faultyBroker changes what passes between the caller and a correct broker. A
// nil hook changes nothing.
type faultyBroker struct {
	stem.Broker
	publish    func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error)
	envelope   func(e *stem.Envelope)
	receive    func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error)
	request    func(req *stem.ReceiveRequest)
	delivery   func(d *stem.Delivery)
	deliveries func(ds []stem.Delivery) []stem.Delivery
	extend     func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error)
	session    func(s *stem.Session)
	notices    func(ns []stem.Notice) []stem.Notice
	settle     func(ctx context.Context, ss []stem.Settlement) error
	settlement func(s *stem.Settlement)
}

func (b *faultyBroker) Unwrap() stem.Broker { return b.Broker }

func (b *faultyBroker) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if b.envelope != nil {
		for i := range envs {
			b.envelope(&envs[i])
		}
	}
	if b.publish != nil {
		return b.publish(ctx, envs)
	}
	return b.Broker.Publish(ctx, envs...)
}

func (b *faultyBroker) Receive(ctx context.Context, req stem.ReceiveRequest) (ds []stem.Delivery, err error) {
	if b.request != nil {
		req.Queues, req.Held = slices.Clone(req.Queues), slices.Clone(req.Held)
		b.request(&req)
	}
	if b.receive != nil {
		ds, err = b.receive(ctx, req)
	} else {
		ds, err = b.Broker.Receive(ctx, req)
	}
	if b.delivery != nil {
		for i := range ds {
			e := *ds[i].Envelope
			ds[i].Envelope = &e
			b.delivery(&ds[i])
		}
	}
	if b.deliveries != nil {
		ds = b.deliveries(ds)
	}
	return ds, err
}

func (b *faultyBroker) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) (ns []stem.Notice, err error) {
	if b.session != nil {
		b.session(&s)
	}
	if b.extend != nil {
		ns, err = b.extend(ctx, s, held)
	} else {
		ns, err = b.Broker.Extend(ctx, s, held...)
	}
	if b.notices != nil {
		ns = b.notices(ns)
	}
	return ns, err
}

func (b *faultyBroker) Settle(ctx context.Context, ss ...stem.Settlement) error {
	if b.settlement != nil {
		for i := range ss {
			b.settlement(&ss[i])
		}
	}
	if b.settle != nil {
		return b.settle(ctx, ss)
	}
	return b.Broker.Settle(ctx, ss...)
}

// broker makes a fault of what to set on a faulty broker.
func broker(set func(b *faultyBroker)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		b := &faultyBroker{Broker: s.Broker}
		set(b)
		s.Broker = b
	}
}

// envelope, request, delivery and settlement make a fault of one hook that has
// no memory.
func envelope(hook func(e *stem.Envelope)) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) { b.envelope = hook })
}

func request(hook func(req *stem.ReceiveRequest)) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) { b.request = hook })
}

func delivery(hook func(d *stem.Delivery)) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) { b.delivery = hook })
}

func settlement(hook func(s *stem.Settlement)) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) { b.settlement = hook })
}

// faultyBackend does to a correct backend what faultyBroker does to a broker.
type faultyBackend struct {
	stem.Backend
	save   func(ctx context.Context, rs []stem.Result) error
	record func(r *stem.Result)
	load   func(ctx context.Context, ids []string) ([]stem.Result, error)
	loaded func(r *stem.Result)
}

func (b *faultyBackend) Unwrap() stem.Backend { return b.Backend }

func (b *faultyBackend) Save(ctx context.Context, rs ...stem.Result) error {
	if b.record != nil {
		rs = slices.Clone(rs) // others may save the same
		for i := range rs {
			b.record(&rs[i])
		}
	}
	if b.save != nil {
		return b.save(ctx, rs)
	}
	return b.Backend.Save(ctx, rs...)
}

func (b *faultyBackend) Load(ctx context.Context, ids ...string) (rs []stem.Result, err error) {
	if b.load != nil {
		rs, err = b.load(ctx, ids)
	} else {
		rs, err = b.Backend.Load(ctx, ids...)
	}
	if b.loaded != nil {
		for i := range rs {
			b.loaded(&rs[i])
		}
	}
	return rs, err
}

// backend makes a fault of what to set on a faulty backend.
func backend(set func(b *faultyBackend)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		b := &faultyBackend{Backend: s.Backend}
		set(b)
		s.Backend = b
	}
}

// saved and loaded make a fault of one hook that has no memory.
func saved(hook func(r *stem.Result)) func(*adaptertest.Stores) {
	return backend(func(b *faultyBackend) { b.record = hook })
}

func loaded(hook func(r *stem.Result)) func(*adaptertest.Stores) {
	return backend(func(b *faultyBackend) { b.loaded = hook })
}

// oneByOne handles a batch item by item and stops at the first that fails.
func oneByOne[T any](items []T, f func(item T) error) error {
	for _, item := range items {
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// forgive hides that a lease was lost.
func forgive(err error) error {
	if errors.Is(err, stem.ErrLeaseLost) {
		return nil
	}
	return err
}
