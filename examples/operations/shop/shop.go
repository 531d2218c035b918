// Package shop has tasks that give an operator something to do.
package shop

import (
	"context"
	"errors"
	"os"
	"time"
)

//go:generate go tool stemgen

// Order is what is paid for.
type Order struct {
	Number string
	Card   string
}

// charge takes the money for an order. The gateway is away unless there is a file of that name in the worker's folder.
//
//stem:task name=till.charge retries=0
func charge(_ context.Context, order Order) (string, error) {
	if _, err := os.Stat("gateway"); err != nil {
		return "", errors.New("the gateway does not answer")
	}
	return "order " + order.Number + " is paid", nil
}

// Month is what is reported.
type Month struct{ Name string }

// report takes an hour, and ends at once when it is told to.
//
//stem:task name=till.report retries=0
func report(ctx context.Context, _ Month) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Hour):
		return nil
	}
}
