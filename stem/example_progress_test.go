package stem_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gostem/gostem/stem"
)

// What a handler reports is seen by whoever watches its job.
func ExampleProgress() {
	var tasks stem.Registry
	seen := make(chan struct{})
	def := number(&tasks, func(ctx context.Context, rows int) (int, error) {
		for row := 1; row <= rows; row++ {
			percent := 100 * float64(row) / float64(rows)
			stem.Progress(ctx, percent, "copying", map[string]string{"row": strconv.Itoa(row)})
		}
		<-seen
		return rows, ctx.Err()
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, err := def.Enqueue(ctx, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	for report, err := range job.Watch(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if report.Percent == 100 { // earlier ones may have been overtaken
			fmt.Println(report.Message, report.Data["row"])
			close(seen)
		}
	}
	fmt.Println(job.Wait(ctx))
	// Output:
	// copying 1000
	// 1000 <nil>
}

// A run that hangs is cancelled long before the time that all of its work may take.
func ExampleHeartbeat() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		for range 3 {
			time.Sleep(20 * time.Millisecond) // a part of the work
			stem.Heartbeat(ctx)
		}
		<-ctx.Done() // a call that never answers
		fmt.Println(errors.Is(context.Cause(ctx), stem.ErrHeartbeatTimeout))
		return n, ctx.Err()
	}, stem.HeartbeatTimeout(200*time.Millisecond), stem.Timeout(time.Hour), stem.MaxRetries(0))
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, err := def.Enqueue(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed) && failed.Failure.Kind == stem.FailureTimeout)
	// Output:
	// true
	// true
}
