package stem

import (
	"context"
	"fmt"
	"time"
)

// CommandPoster gives commands to workers and tells what these reply, a capability. An operator's
// program calls it.
type CommandPoster interface {
	// PostCommand keeps a command for c.For, from now by the store's clock, for all connections and also if
	// they end. When it has answered, every worker that listens by then gets it, in the order in which commands
	// were posted. It may be repeated: a worker obeys one command of an id.
	PostCommand(ctx context.Context, c Command) error
	// Replies answers what has been replied to a command, in the order in which it came, behind the place
	// that an earlier call has answered as next; "" is the beginning. It blocks until there is something or ctx
	// ends. One that this build cannot read has Malformed set, and nothing else.
	Replies(ctx context.Context, command, after string) (rs []Reply, next string, err error)
}

// CommandReceiver is how workers hear commands and reply to them, a capability. A worker of a broker that has
// it obeys [Command]s.
type CommandReceiver interface {
	// AwaitCommands answers commands that were posted behind a place, in the order in which they were posted, and the place
	// behind them as next. It blocks until there is one or ctx ends. With after "" it answers no
	// command, and at once the place from which all is seen that is posted when it has answered.
	//
	// What many workers read, each of them gets. A command whose time is over is left out. One that this
	// build cannot read has Malformed set, and nothing else.
	AwaitCommands(ctx context.Context, after string) (cs []Command, next string, err error)
	// Reply keeps a reply for r.For, from now by the store's clock. It may be repeated: it is among
	// the Replies at least once.
	Reply(ctx context.Context, r Reply) error
}

// Command is an order to workers: to one, some or all of them. Which of the fields behind For count is said with
// the verb.
type Command struct {
	// ID tells commands apart: 1 to 200 printable ASCII bytes, best a UUIDv7.
	ID string
	// Verb is what to do, such as CommandPing. A worker that does not know it replies that.
	Verb string
	// Workers are the names of workers, or the ids of their sessions, that are to obey; at most 1,000. None means
	// all that listen when the command is posted, and have not stopped when they get it.
	Workers []string
	// For is how long the command waits for workers that the store cannot be reached from: up to 24 h.
	For time.Duration

	// Queues and IDs are those of queues and tasks, at most 1,000 each.
	Queues, IDs []string
	// Family tells that the descendants of tasks are meant too.
	Family bool
	// Mode is how to stop.
	Mode StopMode
	// Slots is how many tasks shall run at once.
	Slots int
	// Actor and Reason tell who asks for it and why. Workers log both, and a reason is shown in the failure of
	// what it revokes. At most 1 KiB each.
	Actor, Reason string

	// Signature is carried unread, for [WorkerConfig.AcceptCommand].
	Signature []byte
	// Malformed tells why what the store holds is nothing that this build can read.
	Malformed error
}

// What a Command can ask for.
const (
	// CommandPing asks for a reply.
	CommandPing = "ping"
	// CommandStats asks for the worker's numbers: Reply.Stats.
	CommandStats = "stats"
	// CommandInspect asks for what the worker has in hand: Reply.Held.
	CommandInspect = "inspect"
	// CommandRevoke cancels those of IDs, and with Family their descendants, that the worker has in hand, with
	// ErrRevoked; with Queues only on these. Nothing is kept: what no worker has in hand, [Client.Revoke] revokes.
	CommandRevoke = "revoke"
	// CommandPause keeps this worker from receiving from Queues, or from any where that is empty, until
	// CommandResume or its end. What it has in hand goes on. To pause a queue for all workers is [Client.Pause].
	CommandPause = "pause"
	// CommandResume ends that for Queues, or for all where that is empty.
	CommandResume = "resume"
	// CommandShutdown makes the worker stop by Mode, as [Worker.Stop] does.
	CommandShutdown = "shutdown"
	// CommandConcurrency sets the number of slots, as [Worker.SetSlots] does.
	CommandConcurrency = "concurrency"
)

// The bounds of a command.
const (
	mostInCommand  = 1000
	longestCommand = 24 * time.Hour
	longestWhy     = 1 << 10
	// mostHeld is how many of a worker's tasks a reply names.
	mostHeld = 1000
)

// Validate reports the first field that no store accepts. Adapters call it in PostCommand.
func (c *Command) Validate() error {
	if err := validName("id of a command", c.ID); err != nil {
		return err
	}
	if err := validName("verb of a command", c.Verb); err != nil {
		return err
	}
	if c.For <= 0 || c.For > longestCommand {
		return &OptionError{Option: "time of a command", Value: c.For.String(), Want: "more than 0, up to 24h"}
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"workers of a command", c.Workers}, {"queues of a command", c.Queues}, {"ids of a command", c.IDs}} {
		if len(list.names) > mostInCommand {
			return &OptionError{Option: list.field, Value: fmt.Sprint(len(list.names)), Want: "at most 1,000"}
		}
		for _, name := range list.names {
			if err := validName(list.field, name); err != nil {
				return err
			}
		}
	}
	if size := max(len(c.Actor), len(c.Reason), len(c.Signature)); size > longestWhy {
		return &OptionError{Option: "actor, reason or signature of a command", Value: fmt.Sprintf("%d bytes", size), Want: "at most 1,024 bytes"}
	}
	return nil
}

// Reply is what one worker answers to one command.
type Reply struct {
	// Command is the command's id, Worker the id of the worker's session and Name its name.
	Command, Worker, Name string
	// Err tells why the worker did not obey; "" where it did.
	Err string
	// Count is how many tasks a CommandRevoke has cancelled here, and how many of its queues a CommandPause or
	// CommandResume meant.
	Count int
	// Stats is the answer to CommandStats.
	Stats *WorkerStats
	// HeldCount and Held are the answer to CommandInspect: how many tasks the worker has in hand, and the first thousand
	// of them, those that have run for longest first and those that no slot has taken last.
	HeldCount int
	Held      []HeldTask

	// For is how long the store keeps the reply. It is not part of what a store answers.
	For time.Duration
	// Malformed tells why what the store holds is nothing that this build can read.
	Malformed error
}

// Validate reports the first field that no store accepts. Adapters call it in Reply.
func (r *Reply) Validate() error {
	if err := validName("id of a command", r.Command); err != nil {
		return err
	}
	if err := validName("id of a worker", r.Worker); err != nil {
		return err
	}
	if r.For <= 0 {
		return &OptionError{Option: "time of a reply", Value: r.For.String(), Want: "more than 0"}
	}
	for i := range r.Held {
		if p := r.Held[i].Progress; p != nil && !(p.Percent >= 0 && p.Percent <= 100) {
			return &OptionError{Option: "progress", Value: fmt.Sprint(p.Percent), Want: "0 to 100 percent"}
		}
	}
	return nil
}

// WorkerStats are the numbers of one run of a worker.
type WorkerStats struct {
	// Up is how long it has been running.
	Up time.Duration
	// Slots, InHand and Running are as those of a WorkerInfo.
	Slots, InHand, Running int
	// Succeeded, Failed and Cancelled are how many tasks it has ended; Retried, Snoozed and Released how many of its runs
	// ended otherwise.
	Succeeded, Failed, Cancelled, Retried, Snoozed, Released int64
	// Paused are the queues of which it receives nothing, by CommandPause.
	Paused []string
	// Stopping tells that it stops.
	Stopping bool
	// Goroutines, CPUs, HeapBytes, SystemBytes and GCs are the whole process's: goroutines, how many of them run
	// at once, the heap in use, all that was obtained from the system, and how often the collector has run.
	Goroutines, CPUs       int
	HeapBytes, SystemBytes uint64
	GCs                    int64
	// Go is the version of Go that the program was built with.
	Go string
}

// HeldTask is a task that a worker has in hand.
type HeldTask struct {
	ID, Task, Queue string
	Attempt         int
	// Since is how long ago it was received, and For how long its handler has been running; 0 where it does not run.
	Since, For time.Duration
	// Progress is what the handler has reported last, if it has.
	Progress *ProgressReport
}
