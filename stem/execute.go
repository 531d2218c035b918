package stem

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// execute runs one delivery to its end: it judges whether it may start, calls
// the handler and gives the judgement of its outcome to the settler.
func (w *Worker) execute(l *loan) {
	now := time.Now()
	inHand := now.Sub(*l.received)
	l.waited = l.Waited + inHand
	known := w.known.Has(l.Task, l.Fingerprint)
	if j, refused := judgeUnstarted(l.Delivery, inHand, known, w.cfg.MaxInterruptions); refused {
		w.finish(l, j)
		return
	}
	if l.ctx.Err() != nil {
		w.finish(l, judgeLost(context.Cause(&l.ctx)))
		return
	}
	l.spendTurn()
	l.runs.Store(true)
	w.call(w.handlers[l.Task], l, now)
}

// call runs the handler and finishes the loan, also when the handler panics or
// ends its goroutine.
func (w *Worker) call(handler Handler, l *loan, started time.Time) {
	if l.Timeout > 0 {
		l.ctx.look() // the time runs, whether the handler looks or not
	}
	if l.SoftTimeout > 0 {
		l.warnLate()
	}
	if l.HeartbeatTimeout > 0 {
		l.watchPulse()
	}
	o := outcome{err: errGoexit}
	defer func() {
		if p := recover(); p != nil {
			o = outcome{err: &panicError{value: p, stack: debug.Stack()}}
		}
		if o.err != nil {
			o.draw, o.due, o.steer = drawFor(l.ID, l.Attempt), l.dueFor(time.Now()), w.steer(l)
			if l.ctx.Err() != nil {
				o.cause = context.Cause(&l.ctx)
			}
		} else if err := l.tooLarge(o.result); err != nil {
			o = outcome{err: err}
		}
		l.ctx.end(nil)
		if l.soft != nil {
			l.soft.end()
		}
		if l.pulse != nil {
			l.pulse.end()
		}
		if p := l.reporting.Load(); p != nil {
			l.runs.Store(false) // what it waits for now is the store
			w.reporter.leave(p)
		}
		if s := l.stuck.Load(); s != nil {
			w.tellUnstuck(l, s)
		}
		w.conclude(l, o, time.Since(started))
	}()
	d, err := w.handed(l)
	if err != nil {
		o.err = err
		return
	}
	if w.observe.on() {
		w.observe.tell(&l.ctx, TaskStarted{TaskRef: l.ref(), Waited: l.waited})
	}
	o.result, o.err = handler(&l.ctx, d)
}

// conclude judges a run and finishes its loan, also when a stranger's code that is asked
// about a failure (RetryIf, RetryWith, a method of the error) ends the goroutine: then with
// less of it.
func (w *Worker) conclude(l *loan, o outcome, ran time.Duration) {
	judged := false
	defer func() {
		if !judged {
			w.log.Error("stem: RetryIf, RetryWith or a method of the handler's error ended its goroutine with runtime.Goexit",
				"task", l.Task, "id", l.ID, "attempt", l.Attempt)
			w.conclude(l, o.simpler(), ran)
		}
	}()
	j := l.afterCompletion(judgeUnharmed(l.Delivery, o))
	judged = true
	j.ran = ran
	if j.verdict == VerdictRetry || j.verdict == VerdictDeadLetter {
		l.remember(j.failure)
	}
	w.finish(l, j)
}

// finish makes room for the next delivery and hands the loan to the settler.
func (w *Worker) finish(l *loan, j judgement) {
	l.runs.Store(false)
	l.slotGone = l.gaveUpSlot()
	w.room.leave(l)
	l.leavePlace()
	w.settler.settle(ending{l, j})
}

var errGoexit = errors.New("the handler ended its goroutine with runtime.Goexit")

// panicError is a panic of a handler, with the stack it came from.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
