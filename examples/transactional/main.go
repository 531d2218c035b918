// Command transactional shows what tasks gain that lie in the database of the program's own data:
//
//	go run ./examples/transactional -broker postgres://user:password@127.0.0.1:5432/database
//
// First it enqueues 10,000 tasks, each in a transaction that buys something, and rolls 3 of 10 back. Exactly those
// run that were committed. Then it starts workers that charge what was bought, and kills one after another:
// each charge that is completed in its transaction is made once, and of those that are not some are made twice.
//
// What it makes lies in the schema stem_example_transactional, which is dropped at the beginning and at the end. It exits with 1 if
// anything was not as told here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/transactional/shop"
	"github.com/gostem/gostem/stem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("transactional", flag.ContinueOnError)
	flags.SetOutput(stderr)
	broker := flags.String("broker", "", "the `url` of a PostgreSQL database: postgres://user:password@host:port/database")
	orders := flags.Int("orders", 10_000, "how many orders there are, and 3 of 10 are rolled back")
	only := flags.Bool("worker", false, "only run tasks: what the program starts, and kills")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if !strings.HasPrefix(*broker, "postgres") {
		fmt.Fprint(stderr, wanted)
		return 2
	}
	do := func(ctx context.Context, a *app) error { return a.show(ctx, *broker, *orders, stdout, stderr) }
	if *only {
		do = func(ctx context.Context, a *app) error { return a.worker.Run(ctx) }
	}
	if err := with(ctx, *broker, !*only, do); err != nil {
		fmt.Fprintln(stderr, "transactional:", err)
		return 1
	}
	return 0
}

// wanted says how to get what the example needs.
const wanted = `transactional: name a PostgreSQL database, 13 or newer, with -broker postgres://user:password@host:port/database
The example makes a schema there, stem_example_transactional, and drops it at the end. A server to try it on, with the
programs of PostgreSQL on PATH (Debian has them in /usr/lib/postgresql/*/bin) and not as root:

	initdb -D /tmp/stem-example -U stem -A trust
	pg_ctl -D /tmp/stem-example -o '-p 54321 -k /tmp' -l /tmp/stem-example.log -w start
	go run ./examples/transactional -broker 'postgres://stem@127.0.0.1:54321/postgres?sslmode=disable'
	pg_ctl -D /tmp/stem-example -w stop
`

// app is what every process of the program has: connections for the shop, a store in the same database,
// a client that enqueues there and a worker that runs what is enqueued.
type app struct {
	pool   *pgxpool.Pool
	store  *postgres.Store
	client *stem.Client
	worker *stem.Worker
}

// with does something with the app, in a schema that is new if it is fresh, and dropped then.
func with(ctx context.Context, url string, fresh bool, do func(context.Context, *app) error) (err error) {
	pool, err := newPool(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if fresh {
		drop := func(ctx context.Context) error {
			_, err := pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+shop.Schema+" CASCADE")
			return err
		}
		if err := drop(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	}
	store, err := postgres.Open(ctx, url, postgres.Config{Schema: shop.Schema})
	if err != nil {
		return err
	}
	defer store.Close()
	if fresh {
		if _, err := pool.Exec(ctx, shop.Tables); err != nil {
			return err
		}
	}
	a := &app{pool: pool, store: store}
	if a.client, err = stem.NewClient(store, stem.ClientConfig{}); err != nil {
		return err
	}
	var tasks stem.Registry
	if err := shop.RegisterShop(&tasks, &shop.Shop{Pool: pool}); err != nil {
		return err
	}
	if a.worker, err = stem.NewWorker(a.client, &tasks, workerConfig); err != nil {
		return err
	}
	return do(stem.WithClient(ctx, a.client), a)
}

// slots is how many tasks a worker runs at once. Each has a connection of the pool at hand.
const slots = 10

func newPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = slots
	return pgxpool.NewWithConfig(ctx, cfg)
}
