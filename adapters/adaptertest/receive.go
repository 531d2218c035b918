package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

var receivePromises = []promise{
	{name: "a receive lends at most Max envelopes", check: maxBounds},
	{name: "a receive lends at most MaxBytes of payload", check: maxBytesBounds},
	{name: "MaxBytes holds where large payloads come after small ones", check: maxBytesHolds},
	{name: "one envelope is lent whatever its size", check: oneWhateverItsSize},
	{name: "a receive blocks and is woken by a publish", check: wokenByPublish},
	{name: "a receive is woken by a publish of another connection", check: wokenFromElsewhere},
	{name: "every blocked receiver is woken where there is work for all", check: allAreWoken},
	{name: "a receive of several queues is woken by any of them", check: wokenByAnyQueue},
	{name: "a receiver of one queue gets nothing of another", check: foreignQueue},
	{name: "a receive answers its context's error when that ends", check: contextEnds},
	{name: "a receive whose context has ended loses nothing", check: contextHasEnded},
	{name: "a receive that was cancelled takes nothing any more", check: cancelledTakesNothing},
	{name: "a receive cancelled amid publishes takes nothing that it does not return", check: cancelledAmidPublishes},
	{name: "receivers at the same time never share a delivery", check: neverShared},
	{name: "a delayed envelope is due when its delay is over, and not before", check: delayIsKept},
	{name: "a blocked receive is woken by a delay that ends", check: wokenByDelay},
	{name: "a delivery tells how long its envelope had been due", check: waited},
}

// "Max is the most envelopes to lend."
func maxBounds(x *exam) {
	x.publish(tasks("a", 5)...)
	req := ask(x.session())
	req.Max = 2
	first := x.receive(req) // lawful checks the bound
	x.collect(ask(x.session()), 5-len(first))
	x.nothing()
}

// "MaxBytes bounds the sum of the payloads lent", and order stands: a small
// envelope does not overtake a big one that did not fit.
func maxBytesBounds(x *exam) {
	sizes := []int{100, 100, 400, 100, 300}
	var envs []stem.Envelope
	for i, size := range sizes {
		envs = append(envs, task(fmt.Sprint(i), payload(blob(make([]byte, size-5)))))
	}
	x.publish(envs...)
	req := ask(x.session())
	req.MaxBytes = 450
	var got []string
	for len(got) < len(envs) {
		ds := x.receive(req)
		sum := 0
		for _, d := range ds {
			sum += len(d.Payload)
		}
		if sum > req.MaxBytes {
			x.Errorf("payloads of %v: got %d bytes, want at most %d", ids(ds), sum, req.MaxBytes)
		}
		got = append(got, ids(ds)...)
	}
	same(x, "received", got, named(envs))
}

// A store that goes by what it has lent last is held to the bound none the less.
func maxBytesHolds(x *exam) {
	req := ask(x.session())
	req.MaxBytes = 4000
	for i := range 3 {
		x.publish(tasks(fmt.Sprint("small", i), 10)...)
		x.collect(req, 10)
	}
	large := tasks("large", 10)
	for i := range large {
		large[i].Payload = blob(make([]byte, 995))
	}
	x.publish(large...)
	var got []string
	for len(got) < len(large) {
		ds := x.receive(req)
		if len(ds) > 4 {
			x.Errorf("payloads of 1,000 bytes: got %d, want at most 4", len(ds))
		}
		got = append(got, ids(ds)...)
	}
	same(x, "received", got, named(large))
}

// "One envelope is lent whatever its size."
func oneWhateverItsSize(x *exam) {
	x.publish(tasks("big", 2, payload(megabyte()))...)
	req := ask(x.session())
	req.MaxBytes = 1
	same(x, "first", ids(x.receive(req)), []string{"big-000"})
	same(x, "second", ids(x.receive(req)), []string{"big-001"})
}

// "It blocks until there is at least one … It is woken by a publish."
func wokenByPublish(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.publish(task("a"))
	same(x, "received", ids(c.answer()), []string{"a"})
}

// A worker and a client are different processes.
func wokenFromElsewhere(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.peer().publish(task("a"))
	same(x, "received", ids(c.answer()), []string{"a"})
}

// A wake-up that is lost leaves a worker idle beside work.
func allAreWoken(x *exam) {
	const receivers = 5
	var calls []*call[[]stem.Delivery]
	for range receivers {
		req := ask(x.session())
		req.Max = 1
		calls = append(calls, x.receiving(req))
	}
	calls[receivers-1].blocks()
	x.publish(tasks("a", receivers)...)
	seen := map[string]bool{}
	for _, c := range calls {
		for _, d := range c.answer() {
			seen[d.ID] = true
		}
	}
	same(x, "envelopes lent", len(seen), receivers)
}

// A receiver waits for all of its queues at once.
func wokenByAnyQueue(x *exam) {
	for _, q := range []string{"one", "two", "three"} {
		c := x.receiving(stem.ReceiveRequest{Session: x.session(), Queues: []string{"one", "two", "three"}, Max: 10})
		c.blocks()
		x.publish(task("for-"+q, onQueue(q)))
		same(x, "received", ids(c.answer()), []string{"for-" + q})
	}
}

// "Queues are served": those that were asked for, and no others.
func foreignQueue(x *exam) {
	c := x.receiving(stem.ReceiveRequest{Session: x.session(), Queues: []string{"other"}, Max: 10})
	c.blocks()
	x.publish(task("here"))
	c.blocks()
	same(x, "received", ids(x.take(x.session(), 1)), []string{"here"})
	x.publish(task("there", onQueue("other")))
	same(x, "received from the other queue", ids(c.answer()), []string{"there"})
}

// "… or ctx ends (then it answers ctx.Err(), or what it had taken by then)."
func contextEnds(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	c.cancel()
	ds, err := c.end()
	same(x, "deliveries", len(ds), 0)
	if !errors.Is(err, context.Canceled) {
		x.Errorf("receive: got error %v, want %v", err, context.Canceled)
	}
}

// "… ctx.Err(), or what it had taken by then": a call that comes too late may
// still lend what is due, and if it answers an error, it has taken nothing.
func contextHasEnded(x *exam) {
	ctx, cancel := context.WithCancel(x.Context())
	cancel()
	if ds, err := x.Broker.Receive(ctx, ask(x.session())); !errors.Is(err, context.Canceled) {
		x.Fatalf("receive from an empty queue: got %v and error %v, want %v", ids(ds), err, context.Canceled)
	}
	x.publish(task("a"))
	x.meanwhile()
	ds, err := x.Broker.Receive(ctx, ask(x.session()))
	x.meanwhile()
	switch {
	case err == nil:
		same(x, "received", ids(ds), []string{"a"})
		x.nothing()
	case errors.Is(err, context.Canceled):
		same(x, "received beside an error", ids(ds), nil)
		same(x, "received by the next", ids(x.take(x.session(), 1)), []string{"a"})
	default:
		x.Errorf("receive: got error %v, want a delivery or %v", err, context.Canceled)
	}
}

// "It takes nothing that it does not return": nobody waits on after the end.
func cancelledTakesNothing(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	c.cancel()
	_, _ = c.end()
	x.publish(task("a"))
	x.meanwhile()
	same(x, "received by the next", ids(x.take(x.session(), 1)), []string{"a"})
}

// "It takes nothing that it does not return", however the end of the context
// and the arrival of work fall together.
func cancelledAmidPublishes(x *exam) {
	for i := range 100 {
		id := fmt.Sprint(i)
		receiving := x.receiving(ask(x.session()))
		publishing := x.publishing([]stem.Envelope{task(id)})
		receiving.cancel()
		publishing.answer()
		ds, err := receiving.end()
		if err != nil && len(ds) > 0 {
			x.Fatalf("round %d: got deliveries %v and error %v, want one or the other", i, ids(ds), err)
		}
		if err != nil {
			ds = x.take(x.session(), 1)
		}
		same(x, "received in round "+id, ids(ds), []string{id})
		x.settle(ack(ds...)...)
	}
	x.nothing()
}

// An envelope is lent to one session at a time.
func neverShared(x *exam) {
	const rounds, each, receivers = 40, 8, 4
	ctx, cancel := x.bounded()
	defer cancel()
	taken := make(chan string, 2*rounds*each)
	var calls []*call[none]
	for range receivers {
		req := ask(x.session())
		req.Max = 3
		calls = append(calls, start(x, func(context.Context) (none, error) { return none{}, x.drain(ctx, req, taken) }))
	}
	calls[0].blocks()
	for round := range rounds {
		x.publish(tasks(fmt.Sprint(round), each)...)
	}
	times := map[string]int{}
	for n := 0; n < rounds*each; n++ {
		select {
		case id := <-taken:
			times[id]++
		case <-ctx.Done():
			x.Fatalf("got %d deliveries, want %d", n, rounds*each)
		}
	}
	x.nothing()
	cancel()
	for _, c := range calls {
		c.answer()
	}
	same(x, "different envelopes lent", len(times), rounds*each)
	same(x, "deliveries beyond those", len(taken), 0)
}

// drain receives and acknowledges until ctx ends, and names what it received.
func (x *exam) drain(ctx context.Context, req stem.ReceiveRequest, taken chan<- string) error {
	for {
		ds, err := x.Broker.Receive(ctx, req)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, d := range ds {
			select {
			case taken <- d.ID:
			case <-ctx.Done():
			}
		}
		if err := x.trySettle(ack(ds...)...); err != nil {
			return err
		}
	}
}

// "Delay is how long after its publication the task becomes due", by the
// store's clock.
func delayIsKept(x *exam) {
	x.publish(task("hour", delay(time.Hour)), task("day", delay(24*time.Hour)), task("now"))
	now := x.takeOne(x.session())
	same(x, "at once", now.ID, "now")
	x.settle(ack(now)...)
	x.Advance(time.Hour - time.Minute)
	x.nothing()
	x.Advance(time.Minute)
	hour := x.takeOne(x.session())
	same(x, "after an hour", hour.ID, "hour")
	x.settle(ack(hour)...)
	x.Advance(22 * time.Hour)
	x.nothing()
	x.Advance(time.Hour)
	same(x, "after a day", x.takeOne(x.session()).ID, "day")
}

// "It is woken by … a due delay."
func wokenByDelay(x *exam) {
	x.publish(task("later", delay(time.Hour)))
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.Advance(time.Hour - time.Minute)
	c.blocks()
	x.Advance(time.Minute)
	same(x, "received", ids(c.answer()), []string{"later"})
}

// "Waited is how long the envelope had been due when it was lent."
func waited(x *exam) {
	x.publish(task("now"), task("later", delay(20*time.Minute)))
	x.Advance(time.Hour)
	for _, d := range x.take(x.session(), 2) {
		want := time.Hour - d.Delay
		if d.Waited < want || d.Waited > want+time.Minute {
			x.Errorf("%s had waited: got %v, want %v and the time of the calls", d.ID, d.Waited, want)
		}
	}
}
