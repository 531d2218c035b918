//go:build unix

package faultsite

import (
	"context"
	"sync/atomic"

	"github.com/gostem/gostem/stem"
)

// Told counts what a worker in the test's own process tells.
type Told struct {
	Failed, Recovered atomic.Int64 // receives
	Lost              atomic.Int64 // leases, by their holder or by the next one
	Succeeded         atomic.Int64 // tasks
}

// Observe counts an event.
func (c *Told) Observe(_ context.Context, e stem.Event) {
	switch e := e.(type) {
	case stem.StoreFailed:
		if e.Operation == "receive" {
			c.Failed.Add(1)
		}
	case stem.StoreRecovered:
		if e.Operation == "receive" {
			c.Recovered.Add(1)
		}
	case stem.LeaseLost, stem.TaskInterrupted:
		c.Lost.Add(1)
	case stem.TaskSucceeded:
		c.Succeeded.Add(1)
	}
}
