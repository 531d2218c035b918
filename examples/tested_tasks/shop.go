// Package shop is a small program of tasks, for the sake of its tests: these show how tasks are
// tested with package stemtest.
package shop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

//go:generate go tool stemgen

// Order is what a customer has put together.
type Order struct {
	ID, Customer string
	Cents        int64
}

// Checkout has an order paid, once, however often the customer clicks.
func Checkout(ctx context.Context, order Order) error {
	if order.Cents == 0 {
		return nil // a gift
	}
	_, err := PaymentsChargeTask.Enqueue(ctx, ChargeArgs(order), stem.IdempotencyKey(order.ID))
	return err
}

// Gateway is a provider of payments.
type Gateway interface {
	// Charge takes money and gives a receipt. Called again with the same key it takes nothing, and gives
	// the receipt of the first time.
	Charge(ctx context.Context, key string, cents int64) (receipt string, err error)
}

// ErrDeclined is what a gateway answers where there is no money.
var ErrDeclined = errors.New("the card was declined")

// Payments are what the shop does with money.
type Payments struct{ Gateway Gateway }

// ChargeArgs says for what who pays how much.
type ChargeArgs struct {
	ID, Customer string
	Cents        int64
}

// Charge charges for an order, and has the customer thanked an hour later.
//
//stem:task name=orders.charge queue=payments retries=5 backoff=fixed(1m) timeout=30s
func (p *Payments) Charge(ctx context.Context, order ChargeArgs) (receipt string, err error) {
	receipt, err = p.Gateway.Charge(ctx, order.ID, order.Cents)
	if errors.Is(err, ErrDeclined) {
		return "", stem.Permanent(err)
	}
	if err != nil {
		return "", fmt.Errorf("charge order %s: %w", order.ID, err)
	}
	_, err = Thank.Enqueue(ctx, ThankArgs{Customer: order.Customer}, stem.WithID("thanks-"+order.ID), stem.Delay(time.Hour))
	return receipt, err
}

// ThankArgs says whom to thank.
type ThankArgs struct{ Customer string }

// thank thanks a customer.
//
//stem:task name=orders.thank queue=mail
func thank(ctx context.Context, args ThankArgs) error {
	stem.Logger(ctx).Info("thanked", "customer", args.Customer)
	return nil
}
