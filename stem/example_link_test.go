package stem_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// A task that has succeeded is followed by another, with args of its own.
func ExampleOnSuccess() {
	var tasks stem.Registry
	told := make(chan string, 1)
	tell := stem.Define(stem.TaskSpec{Name: "customer.tell"}, reflectcodec.Of[string](), stem.NoneCodec())
	err := stem.Handle(&tasks, tell, func(ctx context.Context, what string) (stem.None, error) {
		info, _ := stem.Info(ctx)
		told <- what + ", says the child of " + info.Parent
		return stem.None{}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ship := number(&tasks, same)
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	_, err = ship.Enqueue(ctx, 17, stem.WithID("order-17"), stem.OnSuccess(tell.With("shipped")))
	fmt.Println(<-told, err)
	// Output: shipped, says the child of order-17 <nil>
}

// What follows a failure finds out why in its headers.
func ExampleOnFailure() {
	var tasks stem.Registry
	refunded := make(chan struct{})
	refund := stem.Define(stem.TaskSpec{Name: "customer.refund"}, reflectcodec.Of[int](), stem.NoneCodec())
	err := stem.Handle(&tasks, refund, func(ctx context.Context, cents int) (stem.None, error) {
		defer close(refunded)
		info, _ := stem.Info(ctx)
		fmt.Println("refund", cents, "since", info.Parent, "failed:", info.Headers[stem.FailureHeader])
		return stem.None{}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ship := number(&tasks, func(context.Context, int) (int, error) {
		return 0, stem.Permanent(errors.New("out of stock"))
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	if _, err = ship.Enqueue(ctx, 17, stem.WithID("order-17"), stem.OnFailure(refund.With(1200))); err != nil {
		fmt.Println(err)
	}
	<-refunded
	// Output: refund 1200 since order-17 failed: out of stock
}

// The result of one task is what the next one takes: the compiler sees to it that they fit.
func ExampleThen() {
	var tasks stem.Registry
	double := stem.Define(stem.TaskSpec{Name: "double"}, reflectcodec.Of[int](), reflectcodec.Of[int]())
	format := stem.Define(stem.TaskSpec{Name: "format"}, reflectcodec.Of[int](), reflectcodec.Of[string]())
	err := errors.Join(
		stem.Handle(&tasks, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil }),
		stem.Handle(&tasks, format, func(_ context.Context, n int) (string, error) { return fmt.Sprintf("<%d>", n), nil }),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	first, err := double.Enqueue(ctx, 21, stem.Then(double, format))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := first.Wait(ctx); err != nil {
		fmt.Println(err)
		return
	}
	second, err := format.Job(ctx, first.ID()+"/ok/0") // the id is made of its cause
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(second.Wait(ctx))
	// Output: <42> <nil>
}
