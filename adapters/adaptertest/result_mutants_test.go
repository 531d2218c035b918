package adaptertest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

var closeMutants = []mutant{
	{"does not close", func(s *adaptertest.Stores) { s.Close = func() error { return nil } }, []string{
		"Broker/after close every method of the broker answers ErrClosed",
		"Broker/close ends a receive that blocks",
		"Backend/after close every method of the backend answers ErrClosed",
		"Capabilities/after close SaveAndSettle answers ErrClosed",
		"Capabilities/close ends an await that blocks",
	}},

	{"answers after close with an error of its own", broker(func(b *faultyBroker) {
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			if err := b.Broker.Settle(ctx, ss...); errors.Is(err, stem.ErrClosed) {
				return errors.New("not connected")
			} else {
				return err
			}
		}
	}), []string{"Broker/after close every method of the broker answers ErrClosed"}},

	{"closes the store with a connection", func(s *adaptertest.Stores) { s.Peer = withPeer(*s) },
		[]string{"Broker/close keeps what another connection needs"}},
}

// withPeer gives a Stores.Peer that is this connection.
func withPeer(s adaptertest.Stores) func(testing.TB) adaptertest.Stores {
	return func(testing.TB) adaptertest.Stores { return s }
}

// elsewhere makes a fault of what only the second connection does.
func elsewhere(fault func(s *adaptertest.Stores)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		peer := *s
		fault(&peer)
		s.Peer = withPeer(peer)
	}
}

var resultMutants = []mutant{
	{"saves nothing", backend(func(b *faultyBackend) {
		b.save = func(context.Context, []stem.Result) error { return nil }
	}), []string{"Backend/a saved record is loaded", "Backend/savers and loaders may run at the same time"}},

	{"keeps records to each connection", elsewhere(backend(func(b *faultyBackend) {
		b.load = func(_ context.Context, ids []string) ([]stem.Result, error) {
			return make([]stem.Result, len(ids)), &stem.PartialError{Items: []stem.ItemError{{Err: stem.ErrNoResult}}}
		}
	})), []string{"Backend/a record is loaded by another connection"}},

	{"loads a batch in the order of its own", backend(func(b *faultyBackend) { b.load = b.loadReversed }),
		[]string{"Backend/a batch is saved and loaded in the order of the ids"}},

	{"loads no record where one is missing", backend(func(b *faultyBackend) {
		b.load = func(ctx context.Context, ids []string) ([]stem.Result, error) {
			rs, err := b.Backend.Load(ctx, ids...)
			if err != nil {
				clear(rs)
			}
			return rs, err
		}
	}), []string{"Backend/an id without a record is named, and the others are answered"}},

	{"names no id of a batch", backend(func(b *faultyBackend) {
		b.load = func(ctx context.Context, ids []string) ([]stem.Result, error) {
			rs, err := b.Backend.Load(ctx, ids...)
			return rs, stem.ItemErr(err, 0)
		}
	}), []string{
		"Backend/a saved record is loaded",
		"Backend/an id without a record is named, and the others are answered",
	}},

	{"loads an id of a batch once", backend(func(b *faultyBackend) {
		b.load = func(ctx context.Context, ids []string) ([]stem.Result, error) {
			rs, err := b.Backend.Load(ctx, ids...)
			seen := map[string]bool{}
			for i, id := range ids {
				if seen[id] {
					rs[i] = stem.Result{}
				}
				seen[id] = true
			}
			return rs, err
		}
	}), []string{"Backend/an id may be loaded twice in a batch"}},

	{"forgets progress", loaded(func(r *stem.Result) { r.Progress = nil }),
		[]string{"Backend/every field of a record comes back", "Backend/news of one delivery replace each other"}},
	{"forgets the data of a report", loaded(func(r *stem.Result) {
		if r.Progress != nil {
			r.Progress = &stem.ProgressReport{Percent: r.Progress.Percent, Message: r.Progress.Message, At: r.Progress.At}
		}
	}), []string{"Backend/every field of a record comes back", "Backend/the last of many reports stands, and the outcome behind it"}},
	{"forgets attempts", loaded(func(r *stem.Result) { r.History = r.History[:min(len(r.History), 1)] }),
		[]string{"Backend/every field of a record comes back"}},
	{"forgets stacks", loaded(func(r *stem.Result) {
		if r.Failure != nil {
			r.Failure = &stem.Failure{Kind: r.Failure.Kind, Message: r.Failure.Message}
		}
	}), []string{"Backend/every field of a record comes back"}},
	{"reads numbers as short floats", loaded(func(r *stem.Result) { r.Delivery = int64(float32(r.Delivery)) }),
		[]string{"Backend/every field of a record comes back", "Backend/a higher delivery number replaces a record"}},
	{"cuts results at 64 KiB", saved(func(r *stem.Result) { r.Payload = r.Payload[:min(len(r.Payload), 1<<16)] }),
		[]string{"Backend/a result of one MiB comes back byte for byte"}},
	{"ends ids at a colon", backend(func(b *faultyBackend) { b.save, b.load = b.foldIDs(":") }),
		[]string{"Backend/every allowed id is kept apart"}},

	{"keeps records for ever", saved(func(r *stem.Result) { r.Keep = max(r.Keep, 1000*time.Hour) }), []string{
		"Backend/a record is kept for its time, and not longer",
		"Backend/a record that replaces another has its own time",
		"Backend/records of one batch have each their own time",
	}},
	{"keeps records for half their time", saved(func(r *stem.Result) { r.Keep /= 2 }),
		[]string{"Backend/a record is kept for its time, and not longer"}},
	{"keeps a batch as long as its first", backend(func(b *faultyBackend) {
		b.save = func(ctx context.Context, rs []stem.Result) error {
			for i := range rs {
				rs[i].Keep = rs[0].Keep
			}
			return b.Backend.Save(ctx, rs...)
		}
	}), []string{"Backend/records of one batch have each their own time"}},
	{"refuses an empty batch of records", backend(func(b *faultyBackend) {
		b.save = func(ctx context.Context, rs []stem.Result) error {
			if len(rs) == 0 {
				return errors.New("nothing to save")
			}
			return b.Backend.Save(ctx, rs...)
		}
	}), []string{"Backend/an empty batch of records is no error"}},

	{"replaces records without a fence", backend(func(b *faultyBackend) { b.record, b.loaded = dropRecordFence() }), []string{
		"Backend/a lower delivery number is refused",
		"Backend/an outcome is final among equals",
		"Backend/a stale record in a batch is named, and the others are saved",
		"Backend/a batch may hold several records of one id",
		"Backend/of savers at the same time the highest number stands",
		"Backend/of outcomes at the same time one is final",
		"Backend/the last of many reports stands, and the outcome behind it",
		"Backend/a report may be saved while outcomes are",
	}},
	{"hides refused records", backend(func(b *faultyBackend) {
		b.save = func(ctx context.Context, rs []stem.Result) error { return forgive(b.Backend.Save(ctx, rs...)) }
	}), []string{
		"Backend/a lower delivery number is refused",
		"Backend/an outcome is final among equals",
		"Backend/of outcomes at the same time one is final",
	}},
	{"lets the first outcome stand for ever", backend(func(b *faultyBackend) { b.save = b.firstStands(stem.State.Terminal) }),
		[]string{"Backend/a higher delivery number replaces a record"}},
	{"takes news for final", backend(func(b *faultyBackend) { b.save = b.firstStands(func(stem.State) bool { return true }) }), []string{
		"Backend/a higher delivery number replaces a record",
		"Backend/news of one delivery replace each other",
		"Backend/an outcome replaces news of its delivery",
		"Backend/the same outcome once more is no error",
		"Backend/the last of many reports stands, and the outcome behind it",
		"Backend/a report may be saved while outcomes are",
	}},
	{"gives up a batch at the first stale record", backend(func(b *faultyBackend) {
		b.save = func(ctx context.Context, rs []stem.Result) error {
			return oneByOne(rs, func(r stem.Result) error { return b.Backend.Save(ctx, r) })
		}
	}), []string{"Backend/a stale record in a batch is named, and the others are saved"}},
}
