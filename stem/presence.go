package stem

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PresenceKeeper keeps what workers say of themselves, a capability. A worker of a broker that has
// it announces itself every [WorkerConfig.HeartbeatInterval].
type PresenceKeeper interface {
	// Announce keeps what a worker says for info.For, from now by the store's clock; a later one of
	// the same id takes its place, with its own time. It is one round trip, and
	// none of a worker's other calls waits for it.
	Announce(ctx context.Context, info WorkerInfo) error
}

// PresenceLister shows the workers that have announced themselves, a capability.
type PresenceLister interface {
	// Workers answers what is kept, in any order, each with Seen set. What other
	// connections have announced is among it, also when they have ended. One that this build cannot
	// read has Malformed set, and its ID.
	Workers(ctx context.Context) ([]WorkerInfo, error)
}

// WorkerInfo is what one run of a worker says of itself.
type WorkerInfo struct {
	// ID is that of the worker's session: each run of a worker has its own, also under
	// the same name and in the same process.
	ID string
	// Name is WorkerConfig.Name, Host and PID are the machine's and the process's.
	Name, Host string
	PID        int
	// Version is that of the program's main module, and Revision the commit that it was built from,
	// with "+dirty" behind it where files had been changed; "" where the build does not tell.
	Version, Revision string
	// Up is how long the worker had been running when it was seen.
	Up time.Duration
	// Stopped tells that the worker has ended, and settled or given back all that it had in hand.
	// Such an entry is kept for a minute.
	Stopped bool
	// Queues are those that it serves, the first thousand of them; where they have no weights, in order of preference.
	Queues []string
	// Rates are how many tasks of each of Queues it has ended per second, since it announced itself before: succeeded, failed or
	// cancelled for good. Nil where it has ended none.
	Rates []float64
	// Paused are those of Queues from which it receives nothing, by [CommandPause].
	Paused []string
	// Slots is how many tasks it runs at once, InHand how many it has received and not settled yet,
	// and RunningCount how many of these have a handler that runs. Running names the hundred that run
	// for longest.
	Slots, InHand, RunningCount int
	Running                     []RunningTask
	// TaskCount is how many tasks it has registered, under each name and alias and with each
	// schema of args that it reads. Tasks are the first thousand of them, in order; fingerprint 0 stands for
	// all schemas.
	TaskCount int
	Tasks     []TaskSchema

	// For is how long the store keeps it. It is not part of what a store answers.
	For time.Duration
	// Seen is when the worker announced itself, by the store's clock. The store sets it.
	Seen time.Time
	// Malformed tells why what the store holds is nothing that this build can read.
	Malformed error
}

// RunningTask is a task whose handler runs.
type RunningTask struct {
	ID, Task string
	// For is how long it had been running when its worker was seen.
	For time.Duration
}

// Started gives when the worker began to run, by the store's clock.
func (i *WorkerInfo) Started() time.Time { return i.Seen.Add(-i.Up) }

// The most that a worker names of what it runs, and of its queues and tasks.
const (
	mostRunning = 100
	mostListed  = 1000
)

// Validate reports the first field that no store accepts. Adapters call it; workers announce nothing
// else.
func (i *WorkerInfo) Validate() error {
	if err := validName("id of a worker", i.ID); err != nil {
		return err
	}
	if i.For <= 0 {
		return &OptionError{Option: "time of an announcement", Value: i.For.String(), Want: "more than 0"}
	}
	return nil
}

// Workers answers the workers that have announced themselves, in the order of their names and,
// of one name, in that in which they were made. A worker is among them until three of its heartbeats
// (see WorkerConfig.HeartbeatInterval) have been missing, and for a minute after a clean
// stop, with Stopped set.
//
// It answers an error where the broker is no [PresenceLister].
func (c *Client) Workers(ctx context.Context) ([]WorkerInfo, error) {
	if c == nil {
		return nil, ErrNoClient
	}
	lister, ok := As[PresenceLister](c.broker)
	if !ok {
		return nil, fmt.Errorf("stem: workers: the broker %T is no stem.PresenceLister", c.broker)
	}
	call := callContext(ctx, c.cfg.CallTimeout)
	defer call.end(nil)
	infos, err := lister.Workers(call)
	if err != nil {
		return nil, fmt.Errorf("stem: workers: %w", err)
	}
	slices.SortFunc(infos, func(a, b WorkerInfo) int {
		if order := strings.Compare(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos, nil
}
