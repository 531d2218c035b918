// Package ops is what an operator sees and does, as one typed API over whichever stores there are: the command stem
// stands on it, and so may a program of one's own.
//
//	service, err := ops.New(ops.Stores{Broker: store, Backend: store}, ops.Config{})
//	queues, err := service.Queues(ctx)
//
// What a store can show and do it says by capabilities: the interfaces of store.go, and those of the package stem that are
// for operators. A call that needs one which a store does not have answers an [*UnsupportedError] that names both.
//
// Everything that is shown is of a moment and may have changed since. Nothing here counts or lists a whole queue in
// one call: lists come page by page, each of bounded work for the store.
//
// Reading order: task.go (what is seen of a task), form.go (how payloads are shown and made), store.go (what a store can do), service.go.
package ops
