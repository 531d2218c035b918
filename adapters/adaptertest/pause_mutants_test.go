package adaptertest_test

import (
	"context"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// faultyPauser changes what is paused in a correct store.
type faultyPauser struct {
	faultyBroker
	right stem.QueuePauser
	pause func(queue string, paused bool) error
}

func (f *faultyPauser) PauseQueue(_ context.Context, queue string, paused bool) error {
	return f.pause(queue, paused)
}

func (f *faultyPauser) rightly(queue string, paused bool) error {
	return f.right.PauseQueue(context.Background(), queue, paused)
}

// pausing makes a fault of a PauseQueue of its own, which may use the correct one.
func pausing(set func(f *faultyPauser)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[stem.QueuePauser](s.Broker)
		f := &faultyPauser{faultyBroker: faultyBroker{Broker: s.Broker}, right: right}
		f.pause = f.rightly
		set(f)
		s.Broker = f
	}
}

var pauseMutants = []mutant{
	{"pauses nothing", pausing(func(f *faultyPauser) { f.pause = func(string, bool) error { return nil } }), []string{
		"Capabilities/nothing is lent from a paused queue",
		"Capabilities/a receive that blocks lends nothing from a queue paused since",
		"Capabilities/a pause is about one queue",
		"Capabilities/an unused queue is paused before anything is published",
		"Capabilities/deliveries on loan from a paused queue are extended and settled",
		"Capabilities/delays end in a paused queue and their envelopes wait",
		"Capabilities/lapsed deliveries of a paused queue are not taken over",
		"Capabilities/lost answers of a paused queue are recovered when it is resumed",
		"Capabilities/a pause counts for every connection and outlives its own",
		"Capabilities/the counts tell of a pause, and count on",
	}},
	{"resumes nothing", pausing(func(f *faultyPauser) {
		f.pause = func(queue string, paused bool) error {
			if !paused {
				return nil
			}
			return f.rightly(queue, true)
		}
	}), []string{
		"Capabilities/to resume wakes every receiver that blocks",
		"Capabilities/a resumed queue lends what it would have lent",
		"Capabilities/delays end in a paused queue and their envelopes wait",
	}},
	{"pauses all queues as one", pausing(func(f *faultyPauser) {
		f.pause = func(_ string, paused bool) error {
			for _, queue := range []string{"default", "other"} {
				if err := f.rightly(queue, paused); err != nil {
					return err
				}
			}
			return nil
		}
	}), []string{"Capabilities/a pause is about one queue"}},
	{"takes a second pause for a resume", pausing(func(f *faultyPauser) {
		before := false
		f.pause = func(queue string, paused bool) error {
			before = paused && !before
			return f.rightly(queue, before)
		}
	}), []string{"Capabilities/a pause and a resume may be repeated"}},
	{"settles nothing while it is paused", pausing(func(f *faultyPauser) {
		f.pause = func(queue string, paused bool) error {
			f.settle = nil
			if paused {
				f.settle = func(context.Context, []stem.Settlement) error { return stem.ErrLeaseLost }
			}
			return f.rightly(queue, paused)
		}
	}), []string{"Capabilities/deliveries on loan from a paused queue are extended and settled"}},
	{"hides pauses from the counts", counted(func(c *stem.QueueCounts) { c.Paused = false }),
		[]string{"Capabilities/the counts tell of a pause, and count on"}},
	{"pauses after its close", pausing(func(f *faultyPauser) {
		f.pause = func(queue string, paused bool) error {
			_ = f.rightly(queue, paused)
			return nil
		}
	}), []string{"Capabilities/after close pause answers ErrClosed"}},
}
