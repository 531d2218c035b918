package ops

import (
	"time"

	"github.com/gostem/gostem/stem"
)

// State says where in its queue a task is. A task that has ended is in no queue any more: what became of it
// its result tells, or its dead letter.
type State string

// The states of tasks in a queue.
const (
	// Ready: due, and waiting for a worker.
	Ready State = "ready"
	// Running: on loan to a worker, in its hand or in a slot of it.
	Running State = "running"
	// Delayed: due later, by its own delay or since its turn is later, and no attempt has failed.
	Delayed State = "delayed"
	// Retrying: due later, and an attempt has failed: Attempt is 2 or more.
	Retrying State = "retrying"
	// Unknown: set aside until a worker comes that knows the task and the schema of its args.
	Unknown State = "unknown"
)

// States are all of them, in the order in which they are told.
var States = []State{Running, Ready, Retrying, Delayed, Unknown}

// Task is a task that waits or runs, as its store has it.
type Task struct {
	// Envelope is what was published, read-only. Where Malformed is set it holds what the store knows beside
	// the bytes, at least ID and Queue.
	*stem.Envelope
	State State
	// Place is the adapter's own: where it finds the task again, for [TaskChanger]. Printable ASCII of at most 200 bytes.
	Place string
	// Attempt is 1 plus the runs that ended in a failure; the others are counts as those of a [stem.Delivery].
	Attempt, Interruptions, Snoozes, Releases int
	// Delivery is the number of its last delivery, 0 where it has had none or the store does not keep it.
	Delivery int64
	// Session is the id of the session that holds it, where it is on loan, and Lapses when that lapses unless it is heard
	// of before: in the past where it has lapsed and nobody has taken the task over yet.
	Session string
	Lapses  time.Time
	// Published is when the envelope was published and Due when it is or became due; zero where the store does not know.
	Published, Due time.Time
	// Now is the time by the store's clock when it was seen.
	Now time.Time
	// Marks are what the last settlement left. Read-only.
	Marks map[string]string
	// Malformed tells why the stored bytes are no envelope that this build can read.
	Malformed error
}

// Limits of what a store is asked for at once.
const (
	// MaxPage is the most entries of a page, and DefaultPage how many it has where the query does not say.
	MaxPage     = 500
	DefaultPage = 50
	// MaxCursor is how long the cursor of a page may be.
	MaxCursor = 400
)

// TaskQuery says which tasks of a queue are wanted.
type TaskQuery struct {
	// Queue is the one queue that is looked through.
	Queue string
	// State is one of States.
	State State
	// Task and ID leave only tasks of this name, and the one of this id; "" means all.
	Task, ID string
	// After is the Next of the page before, "" for the first.
	After string
	// Limit is the most tasks to answer: 1 to MaxPage.
	Limit int
}

// TaskPage is a part of a list. It may be empty and yet not be the last: a store looks at a bounded number of entries
// for each page, whether they are wanted or not.
type TaskPage struct {
	Tasks []Task
	// Next is what the next page comes after, printable ASCII; "" where there is none.
	Next string
	// Looked is how many entries the store looked at for the page, at least those that are in it.
	Looked int
}

// DeadLetter is an envelope that is set aside.
type DeadLetter struct {
	stem.DeadLetter
	// Place is the adapter's own: where it finds the letter again. Printable ASCII of at most 200 bytes.
	Place string
}

// DeadLetterQuery says which dead letters of a queue are wanted.
type DeadLetterQuery struct {
	Queue string
	// Task and ID leave only letters of this name, and those of this id; "" means all.
	Task, ID string
	// Since and Until leave only what was set aside from the one to before the other; zero means no bound.
	Since, Until time.Time
	// After is the Next of the page before, "" for the first.
	After string
	// Limit is the most letters to answer: 1 to MaxPage.
	Limit int
}

// DeadLetterPage is a part of the dead letters, the newest first. As with a [TaskPage], a page that is empty
// need not be the last.
type DeadLetterPage struct {
	Letters []DeadLetter
	Next    string
	Looked  int
}

// Gauge is what is measured of a queue beside [stem.QueueCounts].
type Gauge struct {
	// Oldest is how long the ready task has been due that has been so for longest, of those at the head of each
	// priority; 0 where none is ready.
	Oldest time.Duration
	// Retrying is how many of the delayed ones are in that state. It is counted among
	// the 10,000 that are due first.
	Retrying int
}
