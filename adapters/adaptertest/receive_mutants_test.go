package adaptertest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

var receiveMutants = []mutant{
	{"lends one envelope too many", request(func(req *stem.ReceiveRequest) { req.Max++ }),
		[]string{"Broker/a receive lends at most Max envelopes"}},

	{"ignores MaxBytes", request(func(req *stem.ReceiveRequest) { req.MaxBytes = 0 }),
		[]string{"Broker/a receive lends at most MaxBytes of payload", "Broker/MaxBytes holds where large payloads come after small ones"}},

	{"lends nothing where the first payload is too large", broker(func(b *faultyBroker) {
		b.receive = func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
			if req.MaxBytes == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return b.Broker.Receive(ctx, req)
		}
	}), []string{"Broker/one envelope is lent whatever its size"}},

	{"looks for work every 47 seconds", broker(func(b *faultyBroker) { b.receive = b.poll(47 * time.Second) }), []string{
		"Broker/a receive blocks and is woken by a publish",
		"Broker/a receive is woken by a publish of another connection",
		"Broker/every blocked receiver is woken where there is work for all",
		"Broker/a receive of several queues is woken by any of them",
		"Broker/one of many queues is found",
		"Broker/a blocked receive is woken by a delay that ends",
		"Broker/a blocked receive is woken by the lapse of another session",
		"Broker/a blocked receiver is woken by what comes back at once",
		"Broker/a blocked receiver gets what another does not know",
		"Broker/a blocked receiver gets what another does not read",
	}},

	{"looks into the first queue only", request(func(req *stem.ReceiveRequest) { req.Queues = req.Queues[:1] }),
		[]string{"Broker/a receive of several queues is woken by any of them", "Broker/one of many queues is found"}},

	{"looks into another queue as well", request(func(req *stem.ReceiveRequest) { req.Queues = append(req.Queues, "default") }),
		[]string{"Broker/a receiver of one queue gets nothing of another"}},

	{"serves queues in reverse", request(func(req *stem.ReceiveRequest) { slices.Reverse(req.Queues) }),
		[]string{"Broker/queues are emptied in the order of the request"}},

	{"ignores AgeAfter", request(func(req *stem.ReceiveRequest) { req.AgeAfter = 0 }), []string{
		"Broker/with ageing a priority rises by one for each full AgeAfter",
		"Broker/with ageing a low priority is not starved",
	}},

	{"ages unasked", request(func(req *stem.ReceiveRequest) { req.AgeAfter = time.Minute }),
		[]string{"Broker/without ageing priorities are strict however long one waits"}},

	{"ages without measure", request(func(req *stem.ReceiveRequest) { req.AgeAfter = min(req.AgeAfter, 1) }), []string{
		"Broker/with ageing a priority rises by one for each full AgeAfter",
		"Broker/with ageing a low priority is not starved",
		"Broker/with ageing the time before an envelope is due does not count",
	}},

	{"forgets priorities where it ages", broker(func(b *faultyBroker) {
		b.envelope = func(e *stem.Envelope) { e.Priority = 0 }
	}), []string{
		"Broker/with ageing those that have waited equally keep their order",
		"Broker/with ageing what a receiver does not know raises nothing",
	}},

	{"hides the end of the context", broker(func(b *faultyBroker) {
		b.receive = func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
			ds, err := b.Broker.Receive(ctx, req)
			if ctx.Err() != nil {
				err = nil
			}
			return ds, err
		}
	}), []string{"Broker/a receive answers its context's error when that ends"}},

	{"waits on after the end of the context", broker(func(b *faultyBroker) { b.receive = b.haunt }), []string{
		"Broker/a receive whose context has ended loses nothing",
		"Broker/a receive that was cancelled takes nothing any more",
		"Broker/a receive cancelled amid publishes takes nothing that it does not return",
	}},

	{"lends twice", broker(func(b *faultyBroker) { b.receive = b.lendTwice() }), []string{
		"Broker/a published envelope is received once",
		"Broker/receivers at the same time never share a delivery",
		"Broker/a live session is never robbed",
		"Broker/recover leaves alone what other sessions hold",
	}},

	{"forgets how long an envelope was due", delivery(func(d *stem.Delivery) { d.Waited = 0 }),
		[]string{"Broker/a delivery tells how long its envelope had been due"}},

	{"counts the delay as waiting", delivery(func(d *stem.Delivery) { d.Waited += d.Delay }),
		[]string{"Broker/a delivery tells how long its envelope had been due"}},

	{"lends unknown tasks", request(func(req *stem.ReceiveRequest) { req.Tasks = nil }), []string{
		"Broker/an envelope of an unknown task is not lent",
		"Broker/a blocked receiver that comes to know of nothing blocks on",
		"Broker/unknown tasks do not hold up known ones",
		"Broker/an envelope that comes back is lent only to those who know it",
		"Broker/lapsed deliveries are taken over only by those who know them",
		"Broker/a delayed envelope of an unknown task waits for its delay and a receiver",
	}},

	{"fails unknown tasks", broker(func(b *faultyBroker) {
		b.receive = b.ending(stem.Settlement{Verdict: stem.VerdictDeadLetter})
	}), []string{
		"Broker/an envelope set aside comes to a receiver that knows it, in order",
		"Broker/a receiver without a task set knows every task",
		"Broker/an envelope set aside for its schema comes to a receiver that reads it, in order",
		"Broker/a receiver without a task set reads every schema",
		"Broker/many schemas set aside are told apart",
	}},

	{"gives unknown tasks back", broker(func(b *faultyBroker) {
		b.receive = b.ending(stem.Settlement{Verdict: stem.VerdictRelease, Delay: time.Second})
	}), []string{"Broker/setting aside is no receive", "Broker/setting aside for a schema is no receive"}},

	{"ignores Recover", request(func(req *stem.ReceiveRequest) { req.Recover = false }), []string{
		"Broker/recover lends again what an answer lost took along",
		"Broker/recover leaves alone what the session says it holds",
		"Broker/what was recovered fences the delivery before it",
	}},

	{"recovers whatever was lost", request(func(req *stem.ReceiveRequest) {
		if req.Recover {
			req.Tasks = nil
		}
	}), []string{"Broker/recover leaves alone what the request does not know"}},

	{"recovers what the session holds", request(func(req *stem.ReceiveRequest) { req.Held = nil }),
		[]string{"Broker/recover leaves alone what the session says it holds"}},

	{"recovers what it has just waited for", broker(func(b *faultyBroker) { b.receive = b.recoverAfterwards }),
		[]string{"Broker/recover lends once what it had to wait for"}},

	{"recovers unasked", request(func(req *stem.ReceiveRequest) { req.Recover = true }),
		[]string{"Broker/without recover a session is not lent twice what it holds"}},

	{"counts a recovery as an interruption", broker(func(b *faultyBroker) {
		recovering := false
		b.request = func(req *stem.ReceiveRequest) { recovering = req.Recover }
		b.delivery = func(d *stem.Delivery) {
			if recovering {
				d.Interruptions++
			}
		}
	}), []string{"Broker/recover lends again what an answer lost took along"}},
}

// poll gives a Receive that asks again and again.
func (b *faultyBroker) poll(every time.Duration) func(context.Context, stem.ReceiveRequest) ([]stem.Delivery, error) {
	return func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
		for {
			once, cancel := context.WithTimeout(ctx, time.Millisecond)
			ds, err := b.Broker.Receive(once, req)
			cancel()
			if err == nil || ctx.Err() != nil {
				return ds, err
			}
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

// recoverAfterwards looks for what was lost when it has waited, too, and finds what has just come.
func (b *faultyBroker) recoverAfterwards(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	atOnce := func() ([]stem.Delivery, error) {
		once, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		return b.Broker.Receive(once, req)
	}
	if ds, err := atOnce(); err == nil {
		return ds, nil
	}
	ds, err := b.Broker.Receive(ctx, req)
	if err != nil || !req.Recover {
		return ds, err
	}
	more, _ := atOnce()
	return append(ds, more...), nil
}

// haunt answers the end of the context and waits on behind its back.
func (b *faultyBroker) haunt(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	type answer struct {
		ds  []stem.Delivery
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		// Shorter than a session, so that the bubble ends.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		ds, err := b.Broker.Receive(bounded, req)
		answers <- answer{ds, err}
	}()
	select {
	case a := <-answers:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return a.ds, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lendTwice gives a Receive that lends once more what it has lent to somebody else.
func (b *faultyBroker) lendTwice() func(context.Context, stem.ReceiveRequest) ([]stem.Delivery, error) {
	var mu sync.Mutex
	var lent []stem.Delivery
	again := func(s stem.Session) (ds []stem.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(lent, func(d stem.Delivery) bool { return d.Session != s.ID })
		if i >= 0 {
			ds = []stem.Delivery{lent[i]}
			ds[0].Session = s.ID
			lent = slices.Delete(lent, i, i+1)
		}
		return ds
	}
	return func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
		if ds := again(req.Session); len(ds) > 0 {
			return ds, nil
		}
		ds, err := b.Broker.Receive(ctx, req)
		mu.Lock()
		defer mu.Unlock()
		lent = append(lent, ds...)
		return ds, err
	}
}

// ending gives a Receive that takes every envelope and ends those of unknown
// tasks by a settlement.
func (b *faultyBroker) ending(s stem.Settlement) func(context.Context, stem.ReceiveRequest) ([]stem.Delivery, error) {
	return func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
		known := req.Tasks
		req.Tasks = nil
		for {
			ds, err := b.Broker.Receive(ctx, req)
			if err != nil {
				return nil, err
			}
			ds = slices.DeleteFunc(ds, func(d stem.Delivery) bool {
				if known.Has(d.Task, d.Fingerprint) {
					return false
				}
				s.Delivery = d
				err = errors.Join(err, b.Broker.Settle(ctx, s))
				return true
			})
			if len(ds) > 0 || err != nil {
				return ds, err
			}
		}
	}
}
