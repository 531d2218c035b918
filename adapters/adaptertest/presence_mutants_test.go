package adaptertest_test

import (
	"context"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// faultyPresence changes what workers say of themselves on their way into a correct store, and out of it.
type faultyPresence struct {
	faultyBroker
	keeper   stem.PresenceKeeper
	lister   stem.PresenceLister
	announce func(info stem.WorkerInfo) error
	workers  func() ([]stem.WorkerInfo, error)
}

func (f *faultyPresence) Announce(_ context.Context, info stem.WorkerInfo) error {
	return f.announce(info)
}

func (f *faultyPresence) Workers(context.Context) ([]stem.WorkerInfo, error) { return f.workers() }

func (f *faultyPresence) rightly(info stem.WorkerInfo) error {
	return f.keeper.Announce(context.Background(), info)
}

func (f *faultyPresence) all() ([]stem.WorkerInfo, error) {
	return f.lister.Workers(context.Background())
}

// present makes a fault of an Announce or a Workers of its own, which may use the correct one.
func present(set func(f *faultyPresence)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		f := &faultyPresence{faultyBroker: faultyBroker{Broker: s.Broker}}
		f.keeper, _ = stem.As[stem.PresenceKeeper](s.Broker)
		f.lister, _ = stem.As[stem.PresenceLister](s.Broker)
		f.announce, f.workers = f.rightly, f.all
		set(f)
		s.Broker = f
	}
}

// announcing changes what is announced.
func announcing(change func(info *stem.WorkerInfo)) func(*adaptertest.Stores) {
	return present(func(f *faultyPresence) {
		f.announce = func(info stem.WorkerInfo) error {
			change(&info)
			return f.rightly(info)
		}
	})
}

var presenceMutants = []mutant{
	{"keeps half of a worker's tasks", announcing(func(i *stem.WorkerInfo) { i.Tasks = i.Tasks[:len(i.Tasks)/2] }),
		[]string{"Capabilities/what a worker announces is listed as it was said"}},
	{"answers for how long an entry is kept", present(func(f *faultyPresence) {
		f.workers = func() ([]stem.WorkerInfo, error) {
			infos, err := f.all()
			for i := range infos {
				infos[i].For = time.Minute
			}
			return infos, err
		}
	}), []string{"Capabilities/what a worker announces is listed as it was said"}},
	{"is a worker itself", present(func(f *faultyPresence) {
		f.workers = func() ([]stem.WorkerInfo, error) {
			infos, err := f.all()
			return append(infos, stem.WorkerInfo{ID: "me"}), err
		}
	}), []string{
		"Capabilities/nobody has announced anything in a new store",
		"Capabilities/an announcement without an id or a time is refused",
	}},
	{"keeps the first announcement of an id", present(func(f *faultyPresence) {
		kept := map[string]bool{}
		f.announce = func(info stem.WorkerInfo) error {
			if kept[info.ID] {
				return nil
			}
			kept[info.ID] = true
			return f.rightly(info)
		}
	}), []string{
		"Capabilities/a later announcement of an id takes the place of the earlier one",
		"Capabilities/an announcement has its own time, shorter or longer than the one before",
		"Capabilities/an announcement goes when its time is over",
	}},
	{"takes the name for the id", announcing(func(i *stem.WorkerInfo) { i.ID = i.Name }),
		[]string{"Capabilities/two runs under one name are two"}},
	{"keeps what is announced for ever", announcing(func(i *stem.WorkerInfo) { i.For = 1000 * time.Hour }), []string{
		"Capabilities/an announcement goes when its time is over",
		"Capabilities/an announcement has its own time, shorter or longer than the one before",
	}},
	{"says that everybody was seen just now", present(func(f *faultyPresence) {
		f.workers = func() ([]stem.WorkerInfo, error) {
			infos, err := f.all()
			for i := range infos {
				infos[i].Seen = time.Now()
			}
			return infos, err
		}
	}), []string{"Capabilities/a worker is seen when the store's clock says"}},
	{"keeps no presence", present(func(f *faultyPresence) { f.announce = func(stem.WorkerInfo) error { return nil } }), []string{
		"Capabilities/an announcement counts for every connection and outlives its own",
		"Capabilities/an announcement without an id or a time is refused",
	}},
	{"announces after its close", present(func(f *faultyPresence) {
		f.announce = func(info stem.WorkerInfo) error {
			_ = f.rightly(info)
			return nil
		}
	}), []string{"Capabilities/after close announce and workers answer ErrClosed"}},
}
