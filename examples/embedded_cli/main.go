// Command embedded_cli is an application's own binary with the command stem in it. It knows the tasks of the application:
//
//	export STEM_BROKER_URL=redis://127.0.0.1:6379
//	go run ./examples/embedded_cli worker start &
//	go run ./examples/embedded_cli task types letters.send
//	go run ./examples/embedded_cli task enqueue letters.send --args '{"To": "ada", "Copies": 2}' --wait
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/gostem/gostem/examples/embedded_cli/letters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var tasks stem.Registry
	if err := letters.Register(&tasks); err != nil {
		fmt.Fprintln(os.Stderr, "letters:", err)
		return 1
	}
	cfg := cli.Config{Name: "letters", Registry: &tasks, Mask: []string{"Token"}}
	return cli.Main(ctx, cfg, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
