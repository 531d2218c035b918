package stemtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	shop "github.com/gostem/gostem/examples/tested_tasks"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/stemtest"
)

// bank is a fake on which the handler of orders.charge depends.
type bank struct {
	calls int
	down  bool
}

func (b *bank) Charge(ctx context.Context, key string, cents int64) (string, error) {
	b.calls++
	if b.down {
		return "", errors.New("no connection")
	}
	return "receipt-" + key, nil
}

// In the examples, inTest(func(t *testing.T) { … }) stands for func TestSomething(t *testing.T) { … }.

// Code that enqueues is tested with a recorder: nothing runs.
func Example() {
	inTest(func(t *testing.T) {
		rec := stemtest.NewRecorder(t)
		if err := shop.Checkout(rec.Context(), shop.Order{ID: "7", Customer: "Ann", Cents: 1200}); err != nil {
			t.Fatal(err)
		}
		charge := stemtest.EnqueuedOne(t, rec, shop.PaymentsChargeTask)
		fmt.Println(charge.Args.Customer, charge.Args.Cents, charge.Queue, charge.MaxRetries)
		stemtest.NotEnqueued(t, rec, shop.Thank)
	})
	// Output: Ann 1200 payments 5
}

// All that was enqueued of a task, in order, with its options.
func ExampleEnqueued() {
	inTest(func(t *testing.T) {
		rec := stemtest.NewRecorder(t)
		for _, customer := range []string{"Ann", "Bob"} {
			if _, err := shop.Thank.Enqueue(rec.Context(), shop.ThankArgs{Customer: customer}, stem.Priority(len(customer))); err != nil {
				t.Fatal(err)
			}
		}
		for _, thanks := range stemtest.Enqueued(t, rec, shop.Thank) {
			fmt.Println(thanks.ID, thanks.Args.Customer, thanks.Queue, thanks.Priority)
		}
	})
	// Output:
	// task-1 Ann mail 3
	// task-2 Bob mail 3
}

// One run of a handler: its result, and what it enqueued.
func ExamplePerform() {
	inTest(func(t *testing.T) {
		payments := stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: new(bank)})
		run := stemtest.Perform(t, shop.PaymentsChargeTask, payments, shop.ChargeArgs{ID: "7", Customer: "Ann", Cents: 1200})
		fmt.Println(run.Must())
		fmt.Println(stemtest.EnqueuedOne(t, run.Recorder, shop.Thank).Delay)
	})
	// Output:
	// receipt-7
	// 1h0m0s
}

// What becomes of a failure, at the first attempt and at the last.
func ExamplePerform_failure() {
	inTest(func(t *testing.T) {
		payments := stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: &bank{down: true}})
		for _, attempt := range []int{1, 6} {
			fmt.Println(stemtest.Perform(t, shop.PaymentsChargeTask, payments, shop.ChargeArgs{ID: "7"}, stemtest.Attempt(attempt)))
		}
	})
	// Output:
	// retry in 1m0s, error: charge order 7: no connection
	// dead-letter, error: charge order 7: no connection
}

// A day of retries takes no time, and its story can be compared with a golden file.
func ExampleRun() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			gateway := &bank{down: true}
			rt.Register(shop.Register, stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: gateway}))
			if err := shop.Checkout(rt.Context(), shop.Order{ID: "7", Cents: 1200}); err != nil {
				t.Fatal(err)
			}
			rt.Advance(90 * time.Second)
			gateway.down = false
			rt.DrainAll()
			fmt.Print(rt.Story())
		})
	})
	// Output:
	// 0s task-1 orders.charge enqueued
	// 0s task-1 orders.charge started on worker-1, attempt 1
	// 0s task-1 orders.charge failed (error: charge order 7: no connection), retry in 1m0s
	// 1m0s task-1 orders.charge started on worker-1, attempt 2
	// 1m0s task-1 orders.charge failed (error: charge order 7: no connection), retry in 1m0s
	// 2m0s task-1 orders.charge started on worker-1, attempt 3
	// 2m0s thanks-7 orders.thank enqueued
	// 2m0s task-1 orders.charge succeeded
	// 1h2m0s thanks-7 orders.thank started on worker-1, attempt 1
	// 1h2m0s thanks-7 orders.thank succeeded
}

// The process dies when the money is taken and nobody knows it. The task runs again, so the gateway
// is asked twice: its key has to keep it from charging twice.
func ExampleRuntime_CrashAfter() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			gateway := new(bank)
			rt.Register(shop.Register, stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: gateway}))
			rt.CrashAfter(shop.PaymentsChargeTask)
			if err := shop.Checkout(rt.Context(), shop.Order{ID: "7", Cents: 1200}); err != nil {
				t.Fatal(err)
			}
			rt.Drain()
			fmt.Println(gateway.calls, "calls")
			fmt.Print(rt.Story())
		})
	})
	// Output:
	// 2 calls
	// 0s task-1 orders.charge enqueued
	// 0s task-1 orders.charge started on worker-1, attempt 1
	// 0s thanks-7 orders.thank enqueued
	// 15s task-1 orders.charge was interrupted (1 in a row)
	// 15s task-1 orders.charge started on worker-2, attempt 1
	// 15s thanks-7 orders.thank enqueued again
	// 15s task-1 orders.charge succeeded
}

// A worker that is cut off goes on for a while. It is told when its lease is lost, and nothing that it
// writes after that counts.
func ExampleRuntime_CutOff() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			report := stem.DefineNoArgs(stem.TaskSpec{Name: "report"}, stem.NoneCodec())
			err := stem.HandleNoArgs(rt.Registry(), report, func(ctx context.Context) (stem.None, error) {
				select {
				case <-time.After(20 * time.Second):
				case <-ctx.Done():
					fmt.Println("told:", context.Cause(ctx))
				}
				return stem.None{}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			rt.CutOff(report)
			if _, err := report.Enqueue(rt.Context()); err != nil {
				t.Fatal(err)
			}
			rt.Drain()
			fmt.Print(rt.Story())
		})
	})
	// Output:
	// told: stem: the lease on this delivery is lost
	// 0s task-1 report enqueued
	// 0s task-1 report started on worker-1, attempt 1
	// 15s task-1 report was interrupted (1 in a row)
	// 15s task-1 report started on worker-2, attempt 1
	// 30s task-1 report ended on worker-1, which had lost it: refused
	// 35s task-1 report succeeded
}

// A store that does not answer costs a task no attempt: the worker asks again.
func ExampleRuntime_StoreFails() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			rt.Register(shop.Register)
			rt.StoreFails(stemtest.OpReceive, 2, errors.New("connection refused"))
			job, err := shop.Thank.Enqueue(rt.Context(), shop.ThankArgs{Customer: "Ann"})
			if err != nil {
				t.Fatal(err)
			}
			rt.Drain()
			record, err := job.Status(rt.Context())
			fmt.Println(record.State, record.Attempt, err)
			for _, failed := range stemtest.Events[stem.StoreFailed](rt) {
				fmt.Println(failed.Operation, failed.Err)
			}
		})
	})
	// Output:
	// succeeded 1 <nil>
	// receive connection refused
	// receive connection refused
}

// A crash in the middle of the work, by a fake that the handler calls.
func ExampleCrash() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			sent := 0
			send := func(ctx context.Context, to string) {
				fmt.Println("a letter to", to)
				if sent++; sent == 2 {
					stemtest.Crash(ctx) // does not return
				}
			}
			letters := stem.DefineNoArgs(stem.TaskSpec{Name: "letters"}, stem.NoneCodec())
			err := stem.HandleNoArgs(rt.Registry(), letters, func(ctx context.Context) (stem.None, error) {
				send(ctx, "Ann")
				send(ctx, "Bob")
				send(ctx, "Cid")
				return stem.None{}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := letters.Enqueue(rt.Context()); err != nil {
				t.Fatal(err)
			}
			rt.Drain()
		})
	})
	// Output:
	// a letter to Ann
	// a letter to Bob
	// a letter to Ann
	// a letter to Bob
	// a letter to Cid
}

// The store has taken the task, and the answer is lost: who tries again does well to have a key.
func ExampleRuntime_AnswersLost() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			rt.AnswersLost(stemtest.OpPublish, 1, errors.New("connection reset"))
			order := shop.Order{ID: "7", Cents: 1200}
			fmt.Println(shop.Checkout(rt.Context(), order))
			fmt.Println(shop.Checkout(rt.Context(), order))
			fmt.Println(len(stemtest.Enqueued(t, rt, shop.PaymentsChargeTask)), "task")
		})
	})
	// Output:
	// stem: enqueue task orders.charge: connection reset
	// <nil>
	// 1 task
}

// Each task runs at its time, also in a month.
func ExampleRuntime_Advance() {
	inTest(func(t *testing.T) {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			rt.Register(shop.Register)
			if _, err := shop.Thank.Enqueue(rt.Context(), shop.ThankArgs{Customer: "Ann"}, stem.Delay(30*24*time.Hour)); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				rt.Advance(7 * 24 * time.Hour)
				fmt.Println(time.Now().UTC().Format("2 January"), len(stemtest.Events[stem.TaskSucceeded](rt)))
			}
		})
	})
	// Output:
	// 8 January 0
	// 15 January 0
	// 22 January 0
	// 29 January 0
	// 5 February 1
}

// The bytes of a task's args, for a golden file.
func ExampleReadable() {
	inTest(func(t *testing.T) {
		rec := stemtest.NewRecorder(t)
		if err := shop.Checkout(rec.Context(), shop.Order{ID: "7", Customer: "Ann", Cents: 1200}); err != nil {
			t.Fatal(err)
		}
		fmt.Println(stemtest.Readable(stemtest.EnqueuedOne(t, rec, shop.PaymentsChargeTask).Payload))
	})
	// Output: {"ID": "7", "Customer": "Ann", "Cents": 1200}
}

// A codec that forgets a field is found out; this one does not.
func ExampleRoundTrip() {
	inTest(func(t *testing.T) {
		args := shop.ChargeArgs{ID: "7", Customer: "Ann", Cents: 1200}
		fmt.Printf("%+v\n", stemtest.RoundTrip(t, shop.PaymentsChargeTask.ArgsCodec(), args))
	})
	// Output: {ID:7 Customer:Ann Cents:1200}
}
