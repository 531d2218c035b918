// Package limit keeps tasks to how often and how many at once they may run, in
// all workers that share a store.
//
// The limits themselves travel with the tasks: see [stem.RateLimit], [stem.Burst],
// [stem.LimitKeyField], [stem.LimitKeyHeader] and [stem.Concurrency].
package limit
