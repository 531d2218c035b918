package stem_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// faulty is a store behind a network that fails when the test says so.
type faulty struct {
	*memory.Store

	away   atomic.Bool           // calls fail without reaching the store
	eats   atomic.Bool           // an answer of Receive is lost after the store has lent
	notice atomic.Pointer[error] // Extend says that all is lost, or revoked
	empty  atomic.Bool           // Receive answers nothing, at once
	stuck  atomic.Bool           // settlements and loads block until their context ends
	// swallows loses one too, and asks again by itself, as some drivers do.
	swallows atomic.Bool
	hangs    atomic.Bool // Extend blocks until its context ends
	forgets  atomic.Bool // settlements are acknowledged and not made
	calls    atomic.Int64
	// flaps fails every second Receive.
	flaps    atomic.Bool
	receives atomic.Int64
	// bad, if set, fails settlements: a whole batch, or items of it.
	bad atomic.Pointer[func(ss []stem.Settlement) error]
	// refuses, if set, fails what is published: a whole batch, or items of it.
	refuses atomic.Pointer[func(envs []stem.Envelope) error]
}

func (f *faulty) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if f.calls.Add(1); f.away.Load() {
		return nil, errAway
	}
	if refuses := f.refuses.Load(); refuses != nil {
		if err := (*refuses)(envs); err != nil {
			return make([]stem.Published, len(envs)), err
		}
	}
	return f.Store.Publish(ctx, envs...)
}

func (f *faulty) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if f.calls.Add(1); f.away.Load() {
		return nil, errAway
	}
	if f.receives.Add(1)%2 == 0 && f.flaps.Load() {
		return nil, errAway
	}
	if f.empty.Load() {
		return nil, nil
	}
	ds, err := f.Store.Receive(ctx, req)
	if err == nil && f.eats.CompareAndSwap(true, false) {
		return nil, errAway
	}
	if err == nil && f.swallows.CompareAndSwap(true, false) {
		return f.Store.Receive(ctx, req)
	}
	return ds, err
}

func (f *faulty) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if f.calls.Add(1); f.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f.away.Load() {
		return nil, errAway
	}
	if cause := f.notice.Load(); cause != nil {
		var notices []stem.Notice
		for i := range held {
			notices = append(notices, stem.Notice{Index: i, Cause: *cause})
		}
		return notices, nil
	}
	return f.Store.Extend(ctx, s, held...)
}

func (f *faulty) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	if f.stuck.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.Store.Load(ctx, ids...)
}

func (f *faulty) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	if f.calls.Add(1); f.away.Load() {
		return errAway
	}
	if f.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if bad := f.bad.Load(); bad != nil {
		if err := (*bad)(ss); err != nil {
			return err
		}
	}
	if f.forgets.Load() {
		return nil
	}
	return f.Store.SaveAndSettle(ctx, ss...)
}

func faultyRig(t *testing.T, story func(t *testing.T, r *rig, f *faulty)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := new(faulty)
		r := newRig(t, func(s *memory.Store) stem.Broker { f.Store = s; return f }, stem.ClientConfig{})
		story(t, r, f)
	})
}
