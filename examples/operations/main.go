// Command operations is the binary of the walk in docs/guide/operations.md: the tasks of a shop, and the command stem to operate them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/gostem/gostem/examples/operations/shop"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var tasks stem.Registry
	if err := shop.Register(&tasks); err != nil {
		fmt.Fprintln(os.Stderr, "operations:", err)
		return 1
	}
	return cli.Main(ctx, cli.Config{Name: "operations", Registry: &tasks, Mask: []string{"Card"}}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
