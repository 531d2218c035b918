package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// The measures of the suite. A real store's clock runs on by itself, so no
// promise depends on less than seconds of it.
const (
	queue = "default"
	lease = time.Minute
	// tick is more than rounding of a store's clock, and less than anything else.
	tick = time.Second
	// quiet is how long nothing must happen to count as nothing. A store that
	// is slower than this passes where it should fail, never the reverse.
	quiet = 50 * time.Millisecond
	// patience is the default of Harness.Patience.
	patience = 10 * time.Second
)

// exam is one promise under examination: the stores and the ways to ask them.
// Its methods end the promise where going on would make no sense.
type exam struct {
	testing.TB
	Stores
	patience time.Duration
	sessions *int
	other    *exam // what peer gives, once it was asked for
	harness  Harness
}

func newExam(tb testing.TB, h Harness) *exam {
	x := &exam{TB: tb, Stores: h.Open(tb), patience: h.Patience, sessions: new(int), harness: h}
	if x.patience <= 0 {
		x.patience = patience
	}
	return x
}

// peer gives the same exam on another connection to the same store.
func (x *exam) peer() *exam {
	if x.Peer == nil {
		return x
	}
	if x.other == nil {
		y := *x
		y.Stores = x.Peer(x.TB)
		x.other = &y
	}
	return x.other
}

// elsewhere gives an exam of another store.
func (x *exam) elsewhere() *exam { return newExam(x.TB, x.harness) }

// bounded gives the context of a call that must answer.
func (x *exam) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(x.Context(), x.patience)
}

// session gives a session of its own.
func (x *exam) session() stem.Session {
	*x.sessions++
	return stem.Session{ID: fmt.Sprintf("session-%d", *x.sessions), Lease: lease}
}

// lapse lets every session lapse that is not extended any more.
func (x *exam) lapse() { x.Advance(lease + tick) }

// publish publishes and expects every envelope to be stored.
func (x *exam) publish(envs ...stem.Envelope) {
	x.Helper()
	for i, p := range x.offer(envs...) {
		same(x, fmt.Sprintf("published %d", i), p, stem.Published{ID: envs[i].ID})
	}
}

// offer publishes and gives what became of each envelope.
func (x *exam) offer(envs ...stem.Envelope) []stem.Published {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	ps, err := x.Broker.Publish(ctx, slices.Clone(envs)...)
	if err != nil {
		x.Fatalf("publish: got error %v, want none", err)
	}
	if len(ps) != len(envs) {
		x.Fatalf("publish: got %d answers, want one for each of %d envelopes", len(ps), len(envs))
	}
	return ps
}

// ask is the plain request of a session: up to 10 of the one queue.
func ask(s stem.Session) stem.ReceiveRequest {
	return stem.ReceiveRequest{Session: s, Queues: []string{queue}, Max: 10}
}

// receive receives once.
func (x *exam) receive(req stem.ReceiveRequest) []stem.Delivery {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	ds, err := x.Broker.Receive(ctx, req)
	if err != nil {
		x.Fatalf("receive: got error %v, want a delivery", err)
	}
	x.lawful(req, ds)
	return ds
}

// lawful checks what holds for the answer to any request.
func (x *exam) lawful(req stem.ReceiveRequest, ds []stem.Delivery) {
	x.Helper()
	if len(ds) < 1 || len(ds) > req.Max {
		x.Fatalf("receive: got %d deliveries, want 1 to %d", len(ds), req.Max)
	}
	lent := map[string]int{}
	for _, d := range ds {
		switch {
		case d.Envelope == nil:
			x.Fatalf("receive: got a delivery without envelope, want one with it")
		case d.Session != req.Session.ID:
			x.Fatalf("receive: got a delivery of session %q, want %q", d.Session, req.Session.ID)
		case !slices.Contains(req.Queues, d.Queue):
			x.Fatalf("receive: got a delivery from queue %q, want one of %q", d.Queue, req.Queues)
		case d.Number < 1 || d.Attempt < 1:
			x.Fatalf("receive: got number %d and attempt %d, want both to be positive", d.Number, d.Attempt)
		case d.Malformed != nil:
			x.Fatalf("receive: got a malformed envelope (%v), want what was published", d.Malformed)
		}
		lent[d.Task]++
		if most, bounded := req.AtMost[d.Task]; bounded && lent[d.Task] > most {
			x.Fatalf("receive: got %d or more of task %s, want at most %d", lent[d.Task], d.Task, most)
		}
	}
}

// collect receives until n deliveries have come, and keeps their order.
func (x *exam) collect(req stem.ReceiveRequest, n int) []stem.Delivery {
	x.Helper()
	var ds []stem.Delivery
	for most := req.Max; len(ds) < n; {
		req.Max = min(most, n-len(ds))
		ds = append(ds, x.receive(req)...)
	}
	return ds
}

// take collects n deliveries from the one queue.
func (x *exam) take(s stem.Session, n int) []stem.Delivery {
	x.Helper()
	return x.collect(ask(s), n)
}

// takeOne receives one delivery from the one queue.
func (x *exam) takeOne(s stem.Session) stem.Delivery {
	x.Helper()
	return x.take(s, 1)[0]
}

// nothing expects that a receiver finds nothing in the one queue.
func (x *exam) nothing() {
	x.Helper()
	x.nothingFor(ask(x.session()))
}

// nothingFor expects that a request is not answered by a delivery.
func (x *exam) nothingFor(req stem.ReceiveRequest) {
	x.Helper()
	ctx, cancel := context.WithTimeout(x.Context(), quiet)
	defer cancel()
	ds, err := x.Broker.Receive(ctx, req)
	if len(ds) > 0 {
		x.Fatalf("receive: got %v, want nothing", ids(ds))
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		x.Fatalf("receive: got error %v, want the context's own: %v", err, context.DeadlineExceeded)
	}
}

// meanwhile gives a receiver that should be gone, and is not, the time to act.
func (x *exam) meanwhile() {
	x.Helper()
	x.nothingFor(stem.ReceiveRequest{Session: x.session(), Queues: []string{"elsewhere"}, Max: 1})
}

// rises expects the number of a later delivery of an id to be higher.
func (x *exam) rises(earlier, later stem.Delivery) {
	x.Helper()
	if later.ID != earlier.ID || later.Number <= earlier.Number {
		x.Errorf("later delivery: got %s number %d, want %s above number %d", later.ID, later.Number, earlier.ID, earlier.Number)
	}
}

// trySettle settles and gives the answer.
func (x *exam) trySettle(ss ...stem.Settlement) error {
	ctx, cancel := x.bounded()
	defer cancel()
	return x.Broker.Settle(ctx, ss...)
}

// settle settles and expects that to be accepted.
func (x *exam) settle(ss ...stem.Settlement) {
	x.Helper()
	if err := x.trySettle(ss...); err != nil {
		x.Fatalf("settle: got error %v, want none", err)
	}
}

// ack gives the settlements that acknowledge deliveries.
func ack(ds ...stem.Delivery) []stem.Settlement {
	ss := make([]stem.Settlement, len(ds))
	for i, d := range ds {
		ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}
	}
	return ss
}

// end gives the settlement of one delivery by a verdict, without delay.
func end(d stem.Delivery, v stem.Verdict) stem.Settlement {
	return stem.Settlement{Delivery: d, Verdict: v, Reason: "the exam"}
}

// extend renews a session and gives the notices.
func (x *exam) extend(s stem.Session, held ...stem.Delivery) []stem.Notice {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	ns, err := x.Broker.Extend(ctx, s, held...)
	if err != nil {
		x.Fatalf("extend: got error %v, want none", err)
	}
	return ns
}

// ids gives the ids of deliveries, in order.
func ids(ds []stem.Delivery) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.ID
	}
	return out
}
