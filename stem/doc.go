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
// travels) and wire.go (its bytes), spec.go, task.go, option.go, env.go and job.go (definitions, options, claims on results),
// route.go, middleware.go, client.go and line.go (enqueue: resolve, publish, share a round trip),
// unique.go, unique_option.go and unique_by.go (the only one of its kind),
// broker.go, backend.go and capability.go (what a store promises), taskset.go (what a
// receiver knows), worker.go, session.go and fetch.go (a worker's life, its lease,
// receive), hand.go, loan.go and execute.go (what is in hand, run it), soft.go and stuck.go (warn
// it, and of it),
// heartbeat.go, progress.go and watch.go (signs of its life, and who sees them),
// judge.go and steering.go (what an outcome means), history.go and stack.go (remember it), settle.go and
// failed.go (commit it), link.go and follow.go (what follows), complete.go (in a transaction of the handler's own), event.go and observe.go (tell it); slots.go and autoscale.go (how many run at once), limit.go, limiter.go, turns.go and places.go (how often, and how many of a task at once), presence.go, announce.go and tally.go (who is there), command.go, orders.go, resting.go and inspect.go (what operators ask of them), health.go (how a worker is), pause.go and standstill.go (queues that rest, tasks that nobody knows), revocation.go and
// revoked.go (what shall not run: how that is said, and how workers hear of it).
package stem
