package adaptertest_test

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/gostem/gostem/stem"
)

// loadReversed answers the last id first.
func (b *faultyBackend) loadReversed(ctx context.Context, ids []string) ([]stem.Result, error) {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return b.Backend.Load(ctx, ids...)
}

// foldIDs gives a Save and a Load that see an id only up to a separator.
func (b *faultyBackend) foldIDs(separator string) (
	save func(context.Context, []stem.Result) error, load func(context.Context, []string) ([]stem.Result, error),
) {
	fold := func(id string) string { head, _, _ := strings.Cut(id, separator); return head }
	save = func(ctx context.Context, rs []stem.Result) error {
		for i := range rs {
			rs[i].ID = fold(rs[i].ID)
		}
		return forgive(b.Backend.Save(ctx, rs...))
	}
	load = func(ctx context.Context, ids []string) ([]stem.Result, error) {
		folded := make([]string, len(ids))
		for i, id := range ids {
			folded[i] = fold(id)
		}
		rs, err := b.Backend.Load(ctx, folded...)
		for i := range rs {
			rs[i].ID = ids[i]
		}
		return rs, err
	}
	return save, load
}

// dropRecordFence gives every record a number above all before it, and gives
// back the record's own.
func dropRecordFence() (record, loaded func(r *stem.Result)) {
	var mu sync.Mutex
	var last int64
	own := map[int64]int64{}
	record = func(r *stem.Result) {
		mu.Lock()
		defer mu.Unlock()
		last++
		own[last] = r.Delivery
		r.Delivery = last
	}
	loaded = func(r *stem.Result) {
		mu.Lock()
		defer mu.Unlock()
		r.Delivery = own[r.Delivery]
	}
	return record, loaded
}

// firstStands gives a Save that refuses to replace a record in a final state.
func (b *faultyBackend) firstStands(final func(stem.State) bool) func(context.Context, []stem.Result) error {
	return func(ctx context.Context, rs []stem.Result) error {
		for _, r := range rs {
			if standing, err := b.Backend.Load(ctx, r.ID); err == nil && final(standing[0].State) {
				return &stem.PartialError{Items: []stem.ItemError{{Err: stem.ErrLeaseLost}}}
			}
			if err := b.Backend.Save(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}
}
