// Package redis is the adapter that keeps tasks and results in Redis, 7.0 or newer: broker and result backend in one value, on one
// server, on one that Sentinels watch, or on a Redis Cluster.
//
//	store, err := redis.Open(ctx, "redis://127.0.0.1:6379/0", redis.Config{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	client, err := stem.NewClient(store, stem.ClientConfig{})
//
// What it keeps is as durable as the server's configuration makes it; [Open] and [New] log the class: memory, process-crash
// safe or power-loss safe. They refuse a server that would lose tasks by its eviction policy.
//
// Execution is at-least-once. Whoever has lost a delivery to somebody else is fenced: the script that settles looks at the
// lease, saves results and settles in one step. On a cluster results lie on other nodes than their queue, so that there
// they are saved first; a stale one is replaced by the next holder's.
//
// docs/adapters/redis.md of the repository tells the layout, sizes, operations and what to alert on.
//
// To read the package, begin with keys.go (what lies where), script.go and once.go (how scripts are called). Then follow an envelope:
// publish.go, receive.go with wait.go (who waits for it) and delivery.go (what was lent), extend.go, settle.go, each beside
// its script in lua; results.go and watch.go are a result's way. operate.go is what operators ask. open.go, boot.go and
// rights.go look at the server before all that.
package redis
