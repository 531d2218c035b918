// Stem operates background tasks: queues, tasks, dead letters and workers, in any of the stores.
//
//	go install github.com/gostem/gostem/cmd/stem@latest
//	stem --help
//
// It knows no tasks. A program that has some embeds the same command with them: see package cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/gostem/gostem/stem/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, cli.Config{}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
