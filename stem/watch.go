package stem

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// watchEvery is how often Watch looks for a new report: as often as workers store them.
const watchEvery = reportEvery

// Watch gives each new report that the task's handler makes with [Progress] and that is found, one look at the record
// every 500 ms, and ends when the task has ended: ask Wait for how. A task that has ended already gives none. Where the
// record cannot be read any more (there is no backend, the result is not kept or another task's), or ctx ends, the last
// pair has the error; a store that fails for a while is asked again. Inside a handler the slot is lent meanwhile, as by Wait.
func (j Job[R]) Watch(ctx context.Context) iter.Seq2[ProgressReport, error] {
	return func(yield func(ProgressReport, error) bool) {
		if err := j.waitable(ctx); err != nil {
			yield(ProgressReport{}, err)
			return
		}
		if err := j.watch(ctx, func(p ProgressReport) bool { return yield(p, nil) }); err != nil {
			yield(ProgressReport{}, fmt.Errorf("stem: watch task %s (%s): %w", j.spec.Name, j.id, err))
		}
	}
}

// watch hands on new reports until the task has ended, or nobody wants more.
func (j Job[R]) watch(ctx context.Context, yield func(ProgressReport) bool) error {
	waiting, leave := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := j.await(waiting)
		ended <- err
	}()
	left := false
	defer func() {
		if leave(); !left {
			<-ended
		}
	}()
	looks := time.NewTicker(watchEvery)
	defer looks.Stop()
	var last Result
	for {
		record, err := j.Status(ctx)
		switch {
		case errors.Is(err, ErrOtherTask), errors.Is(err, ErrResultExpired), errors.Is(err, ErrClosed):
			return err
		case err == nil && record.State.Terminal():
			return nil
		case err == nil && record.newsAfter(&last):
			last = record
			if !yield(*record.Progress) {
				return nil
			}
		}
		select {
		case err := <-ended:
			left = true
			return err
		case <-looks.C:
		}
	}
}

// newsAfter reports whether the record has another report than an earlier one.
func (res *Result) newsAfter(earlier *Result) bool {
	p := res.Progress
	return p != nil && (earlier.Progress == nil || res.Delivery != earlier.Delivery || !p.At.Equal(earlier.Progress.At))
}
