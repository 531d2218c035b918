// Package postgres is the adapter that keeps tasks and results in PostgreSQL, 13 or newer: broker and result backend in one value, in
// one schema of a database.
//
//	store, err := postgres.Open(ctx, "postgres://app:password@127.0.0.1:5432/app", postgres.Config{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	client, err := stem.NewClient(store, stem.ClientConfig{})
//
// Tasks can be part of transactions of the program's own: [Tx] and [SQLTx] make such a transaction one in which tasks are enqueued
// (TaskDefinition.Via) and in which a handler ends its task (TaskDefinition.Complete). [InTx] runs a transaction and wakes workers
// when it has committed.
//
// What an enqueue has answered is as durable as any commit of the database; [Open] and [New] log the class. What workers write
// is committed asynchronously: a crash of the server takes back the last of it, and the tasks run again. Nothing is lost.
//
// Execution is at-least-once. Whoever has lost a delivery to somebody else is fenced: one statement compares delivery numbers,
// ends what is still held, and stores the results of that. What a transaction has written that completes its task is there
// once.
//
// docs/adapters/postgres.md of the repository tells the tables, sizes, operations and what to alert on.
//
// To read the package, begin with migrations (the tables, and functions of which each is one round trip) and statements.go (how they
// are called). Then follow an envelope: publish.go or tx.go, receive.go with bounds.go (where in line to look), claim.go (what
// was lent) and waiting.go (who waits), extend.go, settle.go; result.go and watch.go are a result's way, notify.go and listen.go tell others. operate.go is
// what operators ask. open.go, url.go, boot.go, schema.go and migrate.go look at the server before all that.
package postgres
