package stem

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The headers in which a task that follows a failure finds why the other one failed.
const (
	// FailureKindHeader has the kind of the failure (see [FailureKind]).
	FailureKindHeader = "stem-failure-kind"
	// FailureHeader has the first 1,024 bytes of its message.
	FailureHeader = "stem-failure"

	longestFailureHeader = 1 << 10
)

// linkWindow is for how long the store knows the links of a task: whoever runs it again, after a
// crash or a lost lease, does so within its lease and its retries, as a rule far sooner.
const linkWindow = 24 * time.Hour

// after says which end this is for those that follow it, 0 for none.
func (j *judgement) after() LinkWhen {
	switch {
	case j.state == StateSucceeded:
		return AfterSuccess
	case j.verdict == VerdictDeadLetter:
		return AfterFailure
	default:
		return 0
	}
}

// followers gives the envelopes that follow a task which ends so.
func (l *loan) followers(j *judgement) []Envelope {
	when := j.after()
	if l.Links == nil || when == 0 {
		return nil
	}
	var envs []Envelope
	for i := range l.Links {
		if l.Links[i].When == when {
			envs = append(envs, l.follower(&l.Links[i], len(envs), j))
		}
	}
	return envs
}

// follower gives the envelope of the nth link, with what only the end of the task tells.
func (l *loan) follower(link *Link, n int, j *judgement) Envelope {
	e := link.Envelope
	e.ID = linkID(l.ID, link.When, n)
	e.DedupeKey, e.DedupeWindow = e.ID, linkWindow
	e.Parent, e.Root, e.Ancestors = l.ID, l.family(), l.ancestors()
	switch {
	case link.PassResult && len(j.payload) == 0:
		e.Payload = []byte{0xc0} // a Handler that gave nil: the zero value, as for Job.Wait
	case link.PassResult:
		e.Payload = j.payload
	case link.When == AfterFailure:
		headers := make(map[string]string, len(e.Headers)+2)
		maps.Copy(headers, e.Headers)
		headers[FailureKindHeader] = string(j.failure.Kind)
		headers[FailureHeader] = text(j.failure.Message, longestFailureHeader)
		e.Headers = headers
	}
	return e
}

// linkID makes the id of a link from its cause, so that whoever publishes it again
// publishes the same.
func linkID(id string, when LinkWhen, n int) string {
	end := "ok"
	if when == AfterFailure {
		end = "failed"
	}
	link := fmt.Sprintf("%s/%s/%d", id, end, n)
	if len(link) > MaxIDLength {
		digest := sha256.Sum256([]byte(link))
		return "link-" + hex.EncodeToString(digest[:16])
	}
	return link
}

// follow publishes what follows the endings of a batch, in one call, and names those endings that
// must wait since it could not, beside those that are held back already.
func (s *settler) follow(batch []ending, held []ItemError) []ItemError {
	var envs []Envelope
	var of []int // the ending that each follows
	for i := range batch {
		e := &batch[i]
		if e.loan.Links == nil || e.followed || e.inDoubt() || named(held, i) {
			continue
		}
		followers := e.loan.followers(&e.judgement)
		if err := s.w.client.checkAll(followers); err != nil {
			held = append(held, ItemError{i, &refusedLink{err}})
			continue
		}
		for range followers {
			of = append(of, i)
		}
		envs = append(envs, followers...)
	}
	if envs == nil {
		return held
	}
	held = append(held, s.publishLinks(envs, of)...)
	for _, i := range of {
		batch[i].followed = !named(held, i)
	}
	slices.SortFunc(held, func(a, b ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return held
}

// inDoubt reports whether only the settlement will tell that this is the end: a handler failed that had called
// Complete, and its transaction may have committed. What follows a failure must not follow a success, so
// it is published behind the settlement.
func (e *ending) inDoubt() bool {
	return e.after() == AfterFailure && e.loan.completion.Load() != nil
}

// followLate publishes what follows an ending that was in doubt, once. It alone is lost by a crash, or an
// outage, right here.
func (s *settler) followLate(e ending) {
	followers := e.loan.followers(&e.judgement)
	if len(followers) == 0 {
		return
	}
	for _, item := range s.publishLinks(followers, make([]int, len(followers))) {
		s.w.log.Error("stem: what follows a failed task could not be published, and is lost", "task", e.loan.Task, "id", e.loan.ID, "error", item.Err)
	}
}

// publishLinks publishes envelopes through the client's middleware, and names the endings
// of those that were not published.
func (s *settler) publishLinks(envs []Envelope, of []int) (held []ItemError) {
	w := s.w
	passed := w.client.enqueue == nil
	call := callContext(context.WithValue(w.base, reachedKey{}, &passed), w.client.cfg.CallTimeout)
	defer call.end(nil)
	answers, err := publishThrough(call, w.client, nil, envs)
	if err != nil && !passed && of[0] != of[len(of)-1] {
		return s.publishApart(envs, of)
	}
	byName := errors.As(err, new(*PartialError)) || !passed && blamesEnvelope(err)
	for i := range envs {
		switch itemErr := ItemErr(err, i); {
		case itemErr == nil:
			w.client.observe.enqueued(w.base, &envs[i], answers[i], false)
		case !named(held, of[i]):
			itemErr = fmt.Errorf("publish task %s, which follows: %w", envs[i].Task, itemErr)
			if byName && !excused(itemErr) {
				itemErr = &refusedLink{itemErr}
			}
			held = append(held, ItemError{of[i], itemErr})
		}
	}
	return held
}

// blamesEnvelope reports whether the client refused what middleware had made of an envelope. Any other error
// of middleware may pass: that of a key service that is away, say.
func blamesEnvelope(err error) bool {
	return errors.As(err, new(*OptionError)) || errors.As(err, new(*PayloadTooLargeError))
}

// publishApart publishes what follows each ending in a call of its own: middleware has refused them all, perhaps for
// the sake of one.
func (s *settler) publishApart(envs []Envelope, of []int) (held []ItemError) {
	for first := 0; first < len(of); {
		next := first + 1
		for next < len(of) && of[next] == of[first] {
			next++
		}
		held = append(held, s.publishLinks(envs[first:next], of[first:next])...)
		first = next
	}
	return held
}

// publishThrough takes envelopes through the client's middleware to the transaction, or to the
// client's broker where there is none, and answers for each.
func publishThrough(ctx context.Context, client *Client, tx Publisher, envs []Envelope) ([]Published, error) {
	answers, err := route{client: client, via: tx, bound: true}.publish(ctx, client, envs)
	return answers, checkAnswers(answers, len(envs), err)
}

// checkAll refuses envelopes of which the client refuses one.
func (c *Client) checkAll(envs []Envelope) error {
	for i := range envs {
		if err := c.check(&envs[i]); err != nil {
			return err
		}
	}
	return nil
}

// named reports whether an item is among those that are named.
func named(items []ItemError, i int) bool {
	return slices.ContainsFunc(items, func(item ItemError) bool { return item.Index == i })
}

// refusedLink is why what follows a task was refused, and its delivery not settled: by
// name, so that to try again will hardly help.
type refusedLink struct{ error }

func (e *refusedLink) Unwrap() error { return e.error }

// unlinked gives how to try again to settle a task whose links are refused. A success whose links have been refused
// for long gives way to a failure that says so, and that one, if need be, goes without them: a task must
// not stay with its worker for ever.
func (e ending) unlinked(err error, now time.Time) ending {
	l := e.loan
	if l.refusal == nil {
		l.refusal = new(refusal)
	}
	switch r := l.refusal; {
	case r.unlinked.IsZero():
		r.unlinked = now
	case now.Sub(r.unlinked) < refusalPatience:
	case e.state == StateSucceeded:
		r.unlinked = time.Time{}
		failed := dead(&Failure{Kind: FailureUnlinked, Message: text(fmt.Sprintf("the task succeeded, and what follows it was refused: %v", err), longestMessage)})
		failed.ran = e.ran
		e.judgement = failed
	default:
		e.followed = true
		l.worker.log.Error("stem: what follows a failed task is refused, and left out", "task", l.Task, "id", l.ID, "error", err)
	}
	return e
}
