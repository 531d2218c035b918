package stem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Complete ends the task that the caller runs, as succeeded with that result, in a
// transaction of the handler's own: the end of the task and what the handler has written
// there commit together, or neither does. It is for handlers whose effects must
// not double:
//
//	if err := Hello.Complete(ctx, postgres.Tx(tx), greeting); err != nil {
//		return "", err // and roll back
//	}
//	if err := tx.Commit(ctx); err != nil {
//		return "", err
//	}
//	return greeting, nil
//
// Where it answers an error the transaction must not commit. ErrLeaseLost: somebody
// else has the task by now. ErrCompleted: an earlier transaction of this run has completed
// it, though the answer to its commit may have been lost; there is nothing left to do. *OtherStoreError:
// the transaction is not one of the store that lent the task. Results that are kept in another
// store than the broker's cannot be saved in the transaction: that is an error, unless the task
// was enqueued with IgnoreResult.
//
// The handler returns the same result afterwards. Once the transaction has committed, the task
// has succeeded whatever the handler returns (which is logged where it is
// something else), also if its worker dies first. If it has rolled back, the task is
// judged by what the handler returns, as if Complete had not been called. Until it has
// ended nothing else ends the task: commit or roll back before the handler returns.
//
// The tasks that follow a success (see [OnSuccess]) are published in the transaction too, which must be a
// [Publisher] then.
//
// It takes the context of the handler of this very task, or one made from it, and is bounded
// by the client's CallTimeout. The result is encoded here: worker middleware that changes what
// a handler returns does not see it.
func (d *TaskDefinition[A, R]) Complete(ctx context.Context, tx Completer, result R) error {
	if d == nil || d.boxes == nil {
		return errNoDefinition
	}
	l, err := runningLoan(ctx, "Complete")
	if err != nil {
		return err
	}
	if !d.spec.answersTo(l.Task) {
		return fmt.Errorf("stem: Complete of task %s: the handler that calls it runs task %s: call it on the definition of that one", clip(d.spec.Name), l.Task)
	}
	var payload []byte
	if l.needsResult() {
		if payload, err = d.encodeResult(result); err != nil {
			return err
		}
	}
	return l.complete(ctx, tx, payload)
}

// Complete ends the task that the caller runs in a transaction, as [TaskDefinition.Complete] does.
func (d *NoArgsDefinition[R]) Complete(ctx context.Context, tx Completer, result R) error {
	if d == nil {
		return errNoDefinition
	}
	return d.def.Complete(ctx, tx, result)
}

// runningLoan gives the loan whose handler calls what, while that runs and may go on.
func runningLoan(ctx context.Context, what string) (*loan, error) {
	l := loanFrom(ctx)
	switch {
	case l == nil:
		return nil, fmt.Errorf("stem: %s: the context is not a handler's", what)
	case !l.runs.Load():
		return nil, fmt.Errorf("stem: %s: the task's handler has returned", what)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("stem: %s of task %s (%s): %w", what, l.Task, l.ID, context.Cause(ctx))
	default:
		return l, nil
	}
}

// completion is what a handler has given to a transaction that took it. Whether that
// has committed only the store knows.
type completion struct{ payload []byte }

// complete ends the loan in a transaction, just as the settler would for a handler
// that returned the payload.
func (l *loan) complete(ctx context.Context, tx Completer, payload []byte) error {
	s := l.worker.settler
	if tx == nil {
		return fmt.Errorf("stem: Complete of task %s (%s): the transaction is nil: pass the adapter's, for example postgres.Tx(tx)", l.Task, l.ID)
	}
	if err := l.tooLarge(payload); err != nil {
		return err
	}
	if l.KeepResult > 0 && s.saves != nil && s.atomic == nil {
		return fmt.Errorf("stem: Complete of task %s (%s): its result is kept by a %T and its delivery by a %T, so no transaction ends both: keep results in the broker's store, or enqueue with stem.IgnoreResult()",
			l.Task, l.ID, s.saves, l.worker.client.broker)
	}
	j := judge(l.Delivery, outcome{result: payload})
	j.ran = time.Since(l.started())
	followers := l.followers(&j)
	publisher, publishes := tx.(Publisher)
	if followers != nil && !publishes {
		return fmt.Errorf("stem: Complete of task %s (%s): tasks follow it, and a %T publishes none in its transaction: pass one that is a stem.Publisher", l.Task, l.ID, tx)
	}
	var t trip
	s.prepare(&t, []ending{{l, j}})
	l.worker.reporter.mute(l)
	call := callContext(ctx, l.worker.client.cfg.CallTimeout)
	defer call.end(nil)
	if err := tx.Complete(call, t.settlements[0]); err != nil {
		var other *OtherStoreError
		if errors.As(err, &other) && other.Delivery == "" {
			err = &OtherStoreError{Delivery: fmt.Sprintf("a %T", l.worker.client.broker), Transaction: other.Transaction}
		}
		return fmt.Errorf("stem: Complete of task %s (%s): %w", l.Task, l.ID, err)
	}
	// Only now, when nobody else can complete the task any more: he would wait for these links.
	if err := l.publishIn(call, publisher, followers); err != nil {
		return fmt.Errorf("stem: Complete of task %s (%s): publish what follows: %w", l.Task, l.ID, err)
	}
	l.completion.Store(&completion{payload})
	return nil
}

// publishIn publishes what follows the task in a transaction that ends it.
func (l *loan) publishIn(ctx context.Context, tx Publisher, followers []Envelope) error {
	if followers == nil {
		return nil
	}
	client := l.worker.client
	if err := client.checkAll(followers); err != nil {
		return err
	}
	answers, err := publishThrough(ctx, client, tx, followers)
	if err != nil {
		return err
	}
	for i := range followers {
		client.observe.enqueued(ctx, &followers[i], answers[i], true)
	}
	return nil
}

// tooLarge refuses a result that is larger than the client lets through.
func (l *loan) tooLarge(result []byte) error {
	if limit := l.worker.client.cfg.MaxPayload; len(result) > limit {
		return Permanent(&PayloadTooLargeError{Task: l.Task, What: "result", Size: len(result), Limit: limit})
	}
	return nil
}

// afterCompletion gives how a run is to end whose handler has called Complete. The
// store drops that where the transaction has committed; it counts where it has rolled back.
func (l *loan) afterCompletion(j judgement) judgement {
	c := l.completion.Load()
	switch {
	case c == nil:
	case j.state == StateCancelled:
		// The store would take an ack for that of the completion, and nobody would know
		// which of the two stands. Given back, a task that is not completed is cancelled when it comes again.
		return released()
	case j.state == StateSucceeded && !bytes.Equal(j.payload, c.payload):
		l.worker.log.Warn("stem: a handler returned another result than it had given to Complete; if its transaction was committed, that one stands",
			"task", l.Task, "id", l.ID)
	}
	return j
}

// tellCompleted tells that the store has refused to end a run otherwise than the handler's
// own transaction did.
func (s *settler) tellCompleted(e ending) {
	w, l := s.w, e.loan
	message := ""
	if e.failure != nil {
		message = e.failure.Message
	}
	w.log.Warn("stem: a handler committed the completion of its task and then did not return the result; the completion stands",
		"task", l.Task, "id", l.ID, "verdict", e.verdict.String(), "error", message)
	w.observe.tell(w.base, TaskSucceeded{TaskRef: l.ref(), Ran: e.ran})
}
