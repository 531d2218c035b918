package adaptertest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var atMostMutants = []mutant{
	{"knows no bounds", broker(func(b *faultyBroker) {
		b.request = func(req *stem.ReceiveRequest) { req.AtMost = nil }
	}), []string{
		"Broker/no more of a task is lent than the receive allows",
		"Broker/nothing is lent of a task of which no more may be",
		"Broker/a task of which no more may be lent does not hold up others",
		"Broker/a bound is for all of one task and for no other",
		"Broker/a receive that blocks is not ended by what it may not lend",
		"Broker/what comes back is lent only where a bound allows it",
		"Broker/lapsed deliveries are taken over only where a bound allows it",
		"Broker/lost answers are recovered only where a bound allows it",
		"Broker/a bound below nothing is refused by name",
	}},
	{"lends nothing of a task that has a bound", broker(func(b *faultyBroker) {
		b.request = func(req *stem.ReceiveRequest) {
			req.AtMost = maps.Clone(req.AtMost)
			for name := range req.AtMost {
				req.AtMost[name] = 0
			}
		}
	}), []string{
		"Broker/no more of a task is lent than the receive allows",
		"Broker/what was left out by a bound comes before what is published later",
		"Broker/a blocked receiver gets what another may not be lent",
		"Broker/lost answers are recovered only where a bound allows it",
	}},
	{"bounds every task whose name begins alike", broker(func(b *faultyBroker) {
		b.request = func(req *stem.ReceiveRequest) {
			if req.AtMost = maps.Clone(req.AtMost); req.AtMost != nil {
				req.AtMost["bounded.too"] = 0
			}
		}
	}), []string{"Broker/a bound is for all of one task and for no other"}},
	{"gives back what is beyond the bound", broker(func(b *faultyBroker) { b.receive = b.sortingOut(stem.VerdictRelease) }),
		[]string{"Broker/to be left out by a bound is no receive"}},
	{"puts what is beyond the bound behind all others, the last first", broker(func(b *faultyBroker) { b.receive = b.sortingOut(stem.VerdictSnooze) }),
		[]string{"Broker/what a receive may not lend keeps its order and priority"}},
	{"looks for bounded tasks twice a minute", broker(func(b *faultyBroker) {
		poll := b.poll(30 * time.Second)
		b.receive = func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
			if req.AtMost["bounded"] > 0 {
				return poll(ctx, req)
			}
			return b.Broker.Receive(ctx, req)
		}
	}), []string{"Broker/a blocked receiver gets what another may not be lent"}},
}

// sortingOut gives a Receive that takes whatever there is, and settles what is beyond a bound.
func (b *faultyBroker) sortingOut(v stem.Verdict) func(context.Context, stem.ReceiveRequest) ([]stem.Delivery, error) {
	return func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
		left := maps.Clone(req.AtMost)
		req.AtMost = nil
		ds, err := b.Broker.Receive(ctx, req)
		var within, beyond []stem.Delivery
		for _, d := range ds {
			if most, bounded := left[d.Task]; bounded && most == 0 {
				beyond = append(beyond, d)
			} else {
				left[d.Task]--
				within = append(within, d)
			}
		}
		for _, d := range slices.Backward(beyond) {
			_ = b.Settle(ctx, stem.Settlement{Delivery: d, Verdict: v})
		}
		if err == nil && len(within) == 0 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return within, err
	}
}
