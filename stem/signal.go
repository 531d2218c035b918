package stem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// RunUntilSignal runs workers until all have returned, and answers their errors. The
// first SIGINT or SIGTERM, or the end of ctx, stops them warm, a second signal soft
// and a third one hard (see StopMode). So the process ends within the longest grace
// period of its workers, and sooner where somebody insists. What comes within a second of a
// signal that counted is taken for the same: a supervisor that stops a process and its group sends two.
// While RunUntilSignal runs, these signals do nothing else; what other goroutines of the
// program do is not awaited.
//
// When a worker returns an error before any signal, the others are stopped warm.
func RunUntilSignal(ctx context.Context, workers ...*Worker) error {
	if len(workers) == 0 {
		return errors.New("stem: RunUntilSignal: there is no worker to run: pass what stem.NewWorker made")
	}
	if i := slices.Index(workers, nil); i >= 0 {
		return fmt.Errorf("stem: RunUntilSignal: worker %d is nil: look at the error of its stem.NewWorker", i)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return runUntil(ctx, signals, workers)
}

func runUntil(ctx context.Context, signals <-chan os.Signal, workers []*Worker) error {
	stop := func(mode StopMode) {
		for _, w := range workers {
			w.Stop(mode)
		}
	}
	errs := make([]error, len(workers))
	var running sync.WaitGroup
	for i, w := range workers {
		running.Go(func() {
			if errs[i] = w.Run(ctx); errs[i] != nil {
				stop(StopWarm)
			}
		})
	}
	done := make(chan struct{})
	go func() { // ends with the workers, and these within their grace
		running.Wait()
		close(done)
	}()
	mode, counted := StopWarm, time.Time{}
	for {
		select {
		case s := <-signals:
			if time.Since(counted) < sameSignal {
				workers[0].log.Info(fmt.Sprintf("stem: %v: taken for the same as the signal before, within %v of it", s, sameSignal))
				continue
			}
			workers[0].log.Info(fmt.Sprintf("stem: %v: %s", s, nextSteps[mode]))
			stop(mode)
			mode, counted = min(mode+1, StopHard), time.Now()
		case <-done:
			return errors.Join(errs...)
		}
	}
}

// sameSignal is within what time after a signal another one is taken for the same.
const sameSignal = time.Second

// nextSteps tells whoever sent a signal what it does, and what another would.
var nextSteps = map[StopMode]string{
	StopWarm: "the workers stop when their handlers have finished (once more: their handlers are cancelled)",
	StopSoft: "the handlers are cancelled (once more: nobody waits for them)",
	StopHard: "the workers stop at once",
}
