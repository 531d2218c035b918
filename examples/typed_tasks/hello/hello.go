// Package hello is the smallest task there is.
package hello

import "context"

//go:generate go tool stemgen

// HelloArgs says whom to greet.
type HelloArgs struct{ Name string }

// hello greets someone.
//
//stem:task name=demo.hello retries=3 timeout=30s
func hello(ctx context.Context, args HelloArgs) (string, error) {
	return "Hello " + args.Name, nil
}
