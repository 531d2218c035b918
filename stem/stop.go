package stem

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// StopMode is how a worker stops. A higher mode is more urgent, and includes those
// below it.
type StopMode int

// The modes of a stop. In each of them the worker receives nothing more, gives back
// what has not started, and first of all cancels the handlers that wait for a
// job, with ErrShutdown: the job may be one that nobody here will start.
const (
	// StopWarm lets handlers finish for four fifths of the grace period; then it is
	// a StopSoft, and at the end of the grace period a StopHard.
	StopWarm StopMode = iota + 1
	// StopSoft cancels the contexts of all handlers with ErrShutdown at once, and
	// gives back the tasks of those that return an error.
	StopSoft
	// StopHard waits for nobody: Run returns within a second. The tasks of handlers
	// that have returned by then are settled or given back; the others stay on
	// the worker's lease and run elsewhere when that has lapsed, since to give back a
	// task whose handler runs would be to run it twice.
	StopHard
)

// lastMoment is what a hard stop leaves for cancelled handlers to return and for
// their tasks to be given back.
const lastMoment = time.Second

// flag is something that happens once.
type flag struct {
	context.Context
	raise context.CancelFunc
}

func newFlag() flag {
	ctx, cancel := context.WithCancel(context.Background())
	return flag{ctx, cancel}
}

func (f flag) raised() bool { return f.Err() != nil }

// stops are the flags that end a worker's work, one after the other.
type stops struct {
	warm, soft, hard flag
	over             flag // nothing is attempted any more
}

func newStops() stops {
	return stops{newFlag(), newFlag(), newFlag(), newFlag()}
}

// Stop makes the worker stop in a mode, as the end of Run's context makes it stop
// warm. It returns at once; Run returns when the stop is over. The grace period
// counts from the first stop. A stop may be repeated and made more urgent, never
// less. Before Run it makes Run return when it is called. A mode that is none counts as the
// nearest one.
func (w *Worker) Stop(mode StopMode) {
	w.stops.warm.raise()
	if mode >= StopSoft {
		w.stops.soft.raise()
	}
	if mode >= StopHard {
		w.stops.hard.raise()
	}
}

// giveBack releases what no slot has taken, and cancels the handlers that wait for
// a job.
func (w *Worker) giveBack() {
	rest := w.hand.close()
	w.slots.Go(func() { // not by a slot: all may be taken for long
		for _, l := range rest {
			w.finish(l, released())
		}
	})
	loans, _ := w.held.snapshot()
	for _, l := range loans {
		if l.waiting() {
			l.lose(ErrShutdown)
		}
	}
}

// drain waits for the slots as long as the grace period, or a more urgent stop,
// allows.
func (w *Worker) drain() error {
	done := make(chan struct{})
	go func() { // ends with the slots, at worst with a handler that hangs
		w.slots.Wait()
		close(done)
	}()
	deadline := time.Now().Add(w.cfg.Grace)
	patience := time.NewTimer(w.cfg.Grace / 5 * 4)
	defer patience.Stop()
	end := time.NewTimer(w.cfg.Grace)
	defer end.Stop()
	soft, hard := w.stops.soft.Done(), w.stops.hard.Done()
	for {
		select {
		case <-done:
			return nil
		case <-patience.C:
			w.Stop(StopSoft)
		case <-soft:
			soft = nil
			w.held.cancelAll(ErrShutdown)
		case <-hard:
			hard = nil
			end.Reset(min(lastMoment, time.Until(deadline)))
		case <-end.C:
			w.stops.over.raise()
			if w.cfg.StuckAfter > 0 {
				w.tellStuck(w.held.stuck(time.Now(), 0))
			}
			return w.leftBehind()
		}
	}
}

// leftBehind names what a worker leaves behind that must return now.
func (w *Worker) leftBehind() error {
	why := fmt.Sprintf("the grace period of %v is over", w.cfg.Grace)
	if w.stops.hard.raised() {
		why = "it was to stop at once"
	}
	if running := w.held.running(); len(running) > 0 {
		return fmt.Errorf("stem: worker %s: %s and these handlers have not returned: %s",
			w.cfg.Name, why, strings.Join(running, ", "))
	}
	return fmt.Errorf("stem: worker %s: %s and finished tasks are not settled: the store does not answer", w.cfg.Name, why)
}

// lastWord is what an observer, and the store, have at least to be told of the end.
const lastWord = 100 * time.Millisecond

// tellRest waits for the observer as long as the stop, which began then, allows.
func (w *Worker) tellRest(stopped time.Time) { w.observe.flush(w.patience(stopped)) }

// patience is what is left for the last words of a stop that began then.
func (w *Worker) patience(stopped time.Time) time.Duration {
	if w.stops.hard.raised() {
		return lastWord
	}
	return max(lastWord, w.cfg.Grace-time.Since(stopped))
}
