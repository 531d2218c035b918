package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/transactional/shop"
	"github.com/gostem/gostem/stem"
)

// workerConfig is that of all workers. Their leases are short, so that nobody waits long for what a killed one had in its
// hands; and what is killed that often is not taken for poison.
var workerConfig = stem.WorkerConfig{Slots: slots, Lease: 3 * time.Second, MaxInterruptions: -1}

// show does it all, and prints a table of it.
func (a *app) show(ctx context.Context, url string, orders int, stdout, stderr io.Writer) error {
	rolledBack, err := a.buy(ctx, orders)
	if err != nil {
		return err
	}
	killed, err := a.charge(ctx, url, stderr)
	if err != nil {
		return err
	}
	return a.report(ctx, orders, rolledBack, killed, stdout)
}

// errChangedMind is why an order is rolled back.
var errChangedMind = errors.New("the customer has changed their mind")

// buy places orders, 16 at a time, while a worker ships what is committed, until nothing is left to ship.
func (a *app) buy(ctx context.Context, orders int) (rolledBack int, err error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var errs []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, errChangedMind):
			rolledBack++
		case err != nil:
			errs = append(errs, err)
		}
	}
	var customers, worker sync.WaitGroup
	worker.Go(func() { note(a.worker.Run(working)) })
	const many = 16
	for customer := range many {
		customers.Go(func() {
			for no := customer; no < orders && ctx.Err() == nil; no += many {
				note(a.order(ctx, no))
			}
		})
	}
	customers.Wait()
	note(a.drained(ctx))
	stop()
	worker.Wait()
	return rolledBack, errors.Join(errs...)
}

// order buys something, and enqueues its shipping in the same transaction. 3 of 10 are rolled back.
func (a *app) order(ctx context.Context, no int) error {
	return postgres.InTx(ctx, a.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO "+shop.Schema+".purchase (no) VALUES ($1)", no); err != nil {
			return err
		}
		if _, err := shop.ShopShipTask.Via(postgres.Tx(tx, postgres.Schema(shop.Schema))).Enqueue(ctx, no, stem.IgnoreResult()); err != nil {
			return err
		}
		if rand.IntN(10) < 3 {
			return errChangedMind
		}
		return nil
	})
}

const (
	charges = 1_500 // of each kind, a multiple of slots
	workers = 3     // at once
	kills   = 6     // of workers
)

// charge has worker processes charge, and kills them in the midst of it.
func (a *app) charge(ctx context.Context, url string, stderr io.Writer) (killed int, err error) {
	for no := 0; no < charges; no += slots {
		var orders []int
		for i := range slots {
			orders = append(orders, no+i)
		}
		// The kinds take turns, so that kills meet both.
		for _, task := range []*stem.TaskDefinition[int, stem.None]{shop.ShopChargeTask, shop.ShopNaiveChargeTask} {
			if _, err := task.EnqueueMany(ctx, orders); err != nil {
				return 0, err
			}
		}
	}
	var running []*exec.Cmd
	defer func() {
		for _, worker := range running {
			kill(worker)
		}
	}()
	for {
		for len(running) < workers {
			worker, err := start(url, stderr)
			if err != nil {
				return killed, err
			}
			running = append(running, worker)
		}
		if killed == kills {
			return killed, a.drained(ctx)
		}
		if err := a.busy(ctx, running[0]); err != nil {
			return killed, err
		}
		kill(running[0])
		running = running[1:]
		killed++
	}
}

// start starts this program again, as a worker.
func start(url string, stderr io.Writer) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	worker := exec.Command(program, "-worker", "-broker", url)
	worker.Stderr = stderr
	return worker, worker.Start()
}

// kill kills a process, which has no chance to do anything about it.
func kill(worker *exec.Cmd) {
	_ = worker.Process.Kill()
	_ = worker.Wait() // it was killed, and that is its error
}

// busy waits until a worker has begun some tasks: as many as it runs at once, and as many again.
func (a *app) busy(ctx context.Context, worker *exec.Cmd) error {
	return until(ctx, func() (bool, error) {
		begun, err := a.count(ctx, "SELECT count(*) FROM {schema}.run WHERE worker = $1", worker.Process.Pid)
		return begun >= 2*slots, err
	})
}

// drained waits until nothing is left to do.
func (a *app) drained(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		counts, err := a.store.CountQueue(ctx, stem.DefaultQueue)
		return counts.Ready+counts.Delayed+counts.Running == 0, err
	})
}

// patience is how long anything may take.
const patience = 3 * time.Minute

// until asks again and again, until the answer is yes.
func until(ctx context.Context, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if yes, err := is(); err != nil || yes {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errNotAsTold tells that the table shows something that should not be.
var errNotAsTold = errors.New("that is not what was promised")

// report counts, in the shop's own tables, what has come of it all.
func (a *app) report(ctx context.Context, orders, rolledBack, killed int, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ORDERS\tCOMMITTED\tROLLED BACK\tSHIPPED\tOF WHICH ROLLED BACK\tNEVER SHIPPED")
	var failed []error
	count := func(sql string) int {
		n, err := a.count(ctx, sql)
		failed = append(failed, err)
		return n
	}
	committed := count("SELECT count(*) FROM {schema}.purchase")
	stray := count("SELECT count(*) FROM {schema}.shipment s WHERE NOT EXISTS (SELECT FROM {schema}.purchase p WHERE p.no = s.no)")
	missing := count("SELECT count(*) FROM {schema}.purchase p WHERE NOT EXISTS (SELECT FROM {schema}.shipment s WHERE s.no = p.no)")
	fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\n", orders, committed, rolledBack, count("SELECT count(DISTINCT no) FROM {schema}.shipment"), stray, missing)
	if committed+rolledBack != orders || stray+missing > 0 {
		failed = append(failed, errNotAsTold)
	}

	fmt.Fprintf(t, "\nCHARGES, %d WORKERS KILLED\tTASKS\tRUNS\tMADE\tMORE THAN ONCE\tNEVER\n", killed)
	for _, kind := range []struct{ name, table string }{{"completed in their transaction", "charge"}, {"ended by the worker after it", "naive_charge"}} {
		runs := count("SELECT count(*) FROM {schema}.run WHERE task = '" + kind.table + "'")
		made := count("SELECT count(*) FROM {schema}." + kind.table)
		once := count("SELECT count(DISTINCT no) FROM {schema}." + kind.table)
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", kind.name, charges, runs, made, made-once, charges-once)
		if once != charges || kind.table == "charge" && made != once {
			failed = append(failed, errNotAsTold)
		}
	}
	return errors.Join(append(failed, t.Flush())...)
}

// count asks for a number.
func (a *app) count(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = a.pool.QueryRow(ctx, strings.ReplaceAll(sql, "{schema}", shop.Schema), args...).Scan(&n)
	return n, err
}
