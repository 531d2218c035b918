package shop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	shop "github.com/gostem/gostem/examples/tested_tasks"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/stemtest"
)

// gateway is a provider that keeps its books in memory.
type gateway struct {
	charged map[string]int64 // cents, by key
	calls   int
	answer  func(call int) error // nil: all goes well
}

func (g *gateway) Charge(_ context.Context, key string, cents int64) (string, error) {
	g.calls++
	if g.answer != nil {
		if err := g.answer(g.calls); err != nil {
			return "", err
		}
	}
	if g.charged == nil {
		g.charged = make(map[string]int64)
	}
	g.charged[key] = cents
	return "receipt-" + key, nil
}

var order = shop.Order{ID: "7", Customer: "Ann", Cents: 1200}

// Code that enqueues.

func TestCheckoutChargesOnce(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	for range 2 { // an impatient customer
		if err := shop.Checkout(rec.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	charge := stemtest.EnqueuedOne(t, rec, shop.PaymentsChargeTask)
	if charge.Args.Cents != 1200 || charge.Queue != "payments" {
		t.Errorf("got %d cents on queue %s, want 1200 on payments", charge.Args.Cents, charge.Queue)
	}
}

func TestAGiftIsNotCharged(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	if err := shop.Checkout(rec.Context(), shop.Order{ID: "8"}); err != nil {
		t.Fatal(err)
	}
	stemtest.NotEnqueued(t, rec, shop.PaymentsChargeTask)
}

// One handler.

func TestACustomerIsThankedAnHourLater(t *testing.T) {
	payments := stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: new(gateway)})
	run := stemtest.Perform(t, shop.PaymentsChargeTask, payments, shop.ChargeArgs(order))
	if receipt := run.Must(); receipt != "receipt-7" {
		t.Errorf("got %q, want receipt-7", receipt)
	}
	thanks := stemtest.EnqueuedOne(t, run.Recorder, shop.Thank)
	if thanks.Args.Customer != "Ann" || thanks.Delay != time.Hour {
		t.Errorf("got %s in %v, want Ann in an hour", thanks.Args.Customer, thanks.Delay)
	}
}

func TestWhatBecomesOfAFailedCharge(t *testing.T) {
	tests := []struct {
		promise string
		err     error
		attempt int
		want    stem.Verdict
	}{
		{"no money is no reason to try again", shop.ErrDeclined, 1, stem.VerdictDeadLetter},
		{"no connection is", errors.New("no connection"), 1, stem.VerdictRetry},
		{"but not for ever", errors.New("no connection"), 6, stem.VerdictDeadLetter},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			failing := &gateway{answer: func(int) error { return tt.err }}
			run := stemtest.Perform(t, shop.PaymentsChargeTask, stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: failing}),
				shop.ChargeArgs(order), stemtest.Attempt(tt.attempt))
			if run.Verdict != tt.want || !errors.Is(run.Err, tt.err) {
				t.Errorf("got %v, want %v because of %v", run, tt.want, tt.err)
			}
			stemtest.NotEnqueued(t, run.Recorder, shop.Thank)
		})
	}
}

// All of it.

func TestAnOrderIsPaidThroughAnOutage(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		bank := &gateway{answer: func(call int) error {
			if call <= 3 {
				return errors.New("no connection")
			}
			return nil
		}}
		rt.Register(shop.Register, stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: bank}))
		if err := shop.Checkout(rt.Context(), order); err != nil {
			t.Fatal(err)
		}
		rt.Advance(time.Minute + time.Second) // two attempts
		if bank.calls != 2 || len(bank.charged) != 0 {
			t.Errorf("got %d calls and %d orders paid after a minute, want 2 and none", bank.calls, len(bank.charged))
		}
		rt.DrainAll() // the others, and the hour until the customer is thanked
		if bank.charged["7"] != 1200 {
			t.Errorf("got %d cents, want 1200", bank.charged["7"])
		}
		rt.MustSucceed() // both of them
	})
}

func TestACrashAfterTheChargeChargesNobodyTwice(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		bank := new(gateway)
		rt.Register(shop.Register, stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: bank}))
		rt.CrashAfter(shop.PaymentsChargeTask)
		if err := shop.Checkout(rt.Context(), order); err != nil {
			t.Fatal(err)
		}
		rt.DrainAll()
		if bank.calls != 2 || len(bank.charged) != 1 {
			t.Errorf("got %d calls for %d orders, want 2 calls with one key", bank.calls, len(bank.charged))
		}
		stemtest.EnqueuedOne(t, rt, shop.Thank) // and thanks her once
		rt.MustSucceed()
	})
}
