package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// A store is broker and result backend in one.
func Example() {
	url, drop := exampleDatabase()
	defer drop()
	ctx := context.Background()

	store := must(postgres.Open(ctx, url, postgres.Config{}))
	defer store.Close()
	client := must(stem.NewClient(store, stem.ClientConfig{}))
	var tasks stem.Registry
	if err := hello.Register(&tasks); err != nil {
		panic(err)
	}
	worker := must(stem.NewWorker(client, &tasks, stem.WorkerConfig{}))
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- worker.Run(working) }()

	job := must(hello.Enqueue(stem.WithClient(ctx, client), hello.HelloArgs{Name: "PostgreSQL"}))
	fmt.Println(must(job.Wait(ctx)))
	stop()
	fmt.Println(<-ended)
	// Output:
	// Hello PostgreSQL
	// <nil>
}

// A program that has a pool can enqueue through it. The pool stays the program's.
func ExampleNew() {
	url, drop := exampleDatabase()
	defer drop()
	ctx := context.Background()
	pool := must(pgxpool.New(ctx, url))
	defer pool.Close()

	store := must(postgres.New(ctx, pool, postgres.Config{Schema: "tasks"}))
	defer store.Close()
	client := must(stem.NewClient(store, stem.ClientConfig{}))
	must(hello.Enqueue(stem.WithClient(ctx, client), hello.HelloArgs{Name: "you"}))
	fmt.Println(must(store.CountQueue(ctx, "default")).Ready)
	// Output: 1
}

// What a transaction enqueues is there when it commits, and never was when it rolls back.
func ExampleTx() {
	url, drop := exampleDatabase()
	defer drop()
	ctx, store, pool := exampleApp(url)
	defer pool.Close()
	defer store.Close()

	order := func(name string) pgx.Tx {
		tx := must(pool.Begin(ctx))
		must(tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS orders (name text)"))
		must(tx.Exec(ctx, "INSERT INTO orders VALUES ($1)", name))
		must(hello.Hello.Via(postgres.Tx(tx)).Enqueue(ctx, hello.HelloArgs{Name: name}))
		return tx
	}
	if err := order("kept").Commit(ctx); err != nil {
		panic(err)
	}
	if err := order("given up").Rollback(ctx); err != nil {
		panic(err)
	}
	fmt.Println(must(store.CountQueue(ctx, "default")).Ready)
	// Output: 1
}

// A transaction of database/sql does as well, over the driver of pgx. EnqueueMany takes one round trip.
func ExampleSQLTx() {
	url, drop := exampleDatabase()
	defer drop()
	ctx, store, pool := exampleApp(url)
	defer pool.Close()
	defer store.Close()
	db := must(sql.Open("pgx", url))
	defer db.Close()

	tx := must(db.BeginTx(ctx, nil))
	defer tx.Rollback()
	must(hello.Hello.Via(postgres.SQLTx(tx)).EnqueueMany(ctx, []hello.HelloArgs{{Name: "Ada"}, {Name: "Grace"}}))
	fmt.Println("before:", must(store.CountQueue(ctx, "default")).Ready)
	if err := tx.Commit(); err != nil {
		panic(err)
	}
	fmt.Println("after:", must(store.CountQueue(ctx, "default")).Ready)
	// Output:
	// before: 0
	// after: 2
}

// InTx wakes workers as soon as it has committed. An error of the function rolls back.
func ExampleInTx() {
	url, drop := exampleDatabase()
	defer drop()
	ctx, store, pool := exampleApp(url)
	defer pool.Close()
	defer store.Close()

	errSoldOut := errors.New("sold out")
	order := func(name string, left int) error {
		return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			if _, err := hello.Hello.Via(postgres.Tx(tx)).Enqueue(ctx, hello.HelloArgs{Name: name}); err != nil {
				return err
			}
			if left == 0 {
				return errSoldOut
			}
			return nil
		})
	}
	fmt.Println(order("Ada", 1))
	fmt.Println(order("Grace", 0))
	fmt.Println(must(store.CountQueue(ctx, "default")).Ready)
	// Output:
	// <nil>
	// sold out
	// 1
}

// A handler ends its task in the transaction in which it writes: both are there once, or neither.
func ExampleTransaction_Complete() {
	url, drop := exampleDatabase()
	defer drop()
	ctx, store, pool := exampleApp(url)
	defer pool.Close()
	defer store.Close()
	must(pool.Exec(ctx, "CREATE TABLE greeting (text text)"))

	greet := func(ctx context.Context, args hello.HelloArgs) (string, error) {
		greeting := "Hello " + args.Name
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO greeting VALUES ($1)", greeting); err != nil {
				return err
			}
			return hello.Hello.Complete(ctx, postgres.Tx(tx), greeting)
		})
		return greeting, err
	}
	var tasks stem.Registry
	if err := stem.Handle(&tasks, hello.Hello, greet); err != nil {
		panic(err)
	}
	client := must(stem.NewClient(store, stem.ClientConfig{}))
	worker := must(stem.NewWorker(client, &tasks, stem.WorkerConfig{}))
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- worker.Run(working) }()

	fmt.Println(must(must(hello.Enqueue(ctx, hello.HelloArgs{Name: "once"})).Wait(ctx)))
	stop()
	fmt.Println(<-ended)
	var greetings int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM greeting").Scan(&greetings); err != nil {
		panic(err)
	}
	fmt.Println(greetings)
	// Output:
	// Hello once
	// <nil>
	// 1
}

// A migrator of your own runs the SQL, and Open finds the schema as it should be.
func ExampleMigrationSQL() {
	url, drop := exampleDatabase()
	defer drop()
	ctx := context.Background()
	conn := must(pgx.Connect(ctx, url))
	defer conn.Close(ctx)

	script := must(postgres.MigrationSQL("stem"))
	must(conn.Exec(ctx, script)) // several statements in one call are one transaction
	store := must(postgres.Open(ctx, url, postgres.Config{}))
	fmt.Println(store.Close())
	// Output: <nil>
}

// exampleApp is what programs have: a pool of their own, and a store, whose client is in the context.
func exampleApp(url string) (context.Context, *postgres.Store, *pgxpool.Pool) {
	ctx := context.Background()
	store := must(postgres.Open(ctx, url, postgres.Config{}))
	client := must(stem.NewClient(store, stem.ClientConfig{}))
	return stem.WithClient(ctx, client), store, must(pgxpool.New(ctx, url))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exampleDatabase gives the URL of an empty database, which drop drops.
func exampleDatabase() (url string, drop func()) {
	var t exampleTB
	return testpostgres.URL(&t), func() {
		for _, f := range t.cleanups {
			f()
		}
	}
}

// exampleTB is what stands in for a test in an example: what fails panics.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()            {}
func (t *exampleTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (*exampleTB) Fatal(args ...any)  { panic(fmt.Sprint(args...)) }
func (*exampleTB) Error(args ...any)  { panic(fmt.Sprint(args...)) }
