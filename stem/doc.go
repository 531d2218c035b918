// Package stem runs typed background tasks.
//
// A task is a plain function that a worker runs later, perhaps elsewhere. Its
// [TaskDefinition] is a typed value with which clients enqueue it and await its
// result; stemgen writes definitions for functions marked //stem:task, and
// [Define] makes one by hand.
//
// Delivery is at-least-once: a task may run again after a crash or a lost lease.
// Writes of a stale worker are fenced: they are refused by the store.
//
// To read the package, follow a task through its life: envelope.go (what
// travels), task.go (definitions and jobs), client.go (enqueue), broker.go
// and backend.go (what a store promises), worker.go, fetch.go, execute.go (receive and
// run), settle.go (judge the outcome and commit it).
package stem
