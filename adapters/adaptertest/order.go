package adaptertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var orderPromises = []promise{
	{name: "higher priorities come first", check: prioritiesInOrder},
	{name: "a higher priority that comes later overtakes", check: laterPriorityOvertakes},
	{name: "a delayed envelope that is due has its priority", check: delayedHasPriority},
	{name: "without ageing priorities are strict however long one waits", check: strictWithoutAgeing},
	{name: "with ageing a priority rises by one for each full AgeAfter", check: ageingRaises},
	{name: "with ageing a low priority is not starved", check: ageingEndsStarvation},
	{name: "with ageing those that have waited equally keep their order", check: ageingKeepsOrder},
	{name: "with ageing the time before an envelope is due does not count", check: ageingCountsFromDue},
	{name: "with ageing what a receiver does not know raises nothing", check: ageingSkipsUnknown},
	{name: "equals come first in, first out, over many batches", check: firstInFirstOut},
	{name: "queues are emptied in the order of the request", check: queuesInOrder},
	{name: "one of many queues is found", check: manyQueues},
}

// "Within a queue higher priorities come first, then first in, first out."
func prioritiesInOrder(x *exam) {
	var envs []stem.Envelope
	for _, p := range []int{3, 0, 9, 5, 1, 7, 2, 8, 4, 6} {
		envs = append(envs, tasks(fmt.Sprintf("p%d", p), 2, priority(p))...)
	}
	x.publish(envs...)
	var want []string
	for p := 9; p >= 0; p-- {
		want = append(want, fmt.Sprintf("p%d-000", p), fmt.Sprintf("p%d-001", p))
	}
	req := ask(x.session())
	req.Max = 3
	same(x, "received", ids(x.collect(req, len(want))), want)
}

// Priorities hold between publishes, not only within one.
func laterPriorityOvertakes(x *exam) {
	s := x.session()
	x.publish(tasks("low", 3)...)
	first := x.takeOne(s)
	x.publish(tasks("high", 2, priority(9))...)
	got := append([]string{first.ID}, ids(x.take(s, 4))...)
	same(x, "received", got, []string{"low-000", "high-000", "high-001", "low-001", "low-002"})
}

// A delay says when an envelope is due, not what it is worth.
func delayedHasPriority(x *exam) {
	x.publish(task("high", priority(9), delay(time.Hour)))
	x.publish(tasks("low", 3)...)
	x.Advance(time.Hour)
	same(x, "received first", x.takeOne(x.session()).ID, "high")
}

// The unit of ageing in the suite: a store's clock runs on by less than half of it.
const age = time.Minute

// ageing is the request of a session for one envelope, with ageing.
func ageing(s stem.Session) stem.ReceiveRequest {
	req := ask(s)
	req.Max, req.AgeAfter = 1, age
	return req
}

// "AgeAfter … 0 is strict."
func strictWithoutAgeing(x *exam) {
	x.publish(task("low"))
	x.Advance(1000 * time.Hour)
	x.publish(task("high", priority(1)))
	same(x, "received", ids(x.take(x.session(), 2)), []string{"high", "low"})
}

// "A priority ranks one higher for each full AgeAfter … and of equal ranks the higher
// priority."
func ageingRaises(x *exam) {
	x.publish(task("low", priority(2)))
	x.Advance(2*age + age/2)
	x.publish(task("equal", priority(4)), task("below", priority(3)))
	req := ageing(x.session())
	same(x, "received", ids(x.collect(req, 3)), []string{"equal", "low", "below"})
}

// However much comes at higher priorities, and be they never dry.
func ageingEndsStarvation(x *exam) {
	req := ageing(x.session())
	req.Max = 2
	x.publish(task("low"))
	for round := range 30 {
		x.publish(tasks(fmt.Sprintf("high-%d", round), 3, priority(9))...)
		if slices.Contains(ids(x.receive(req)), "low") {
			if round < 9 {
				x.Errorf("the low one came in round %d, want it to rank below the others before round 9", round)
			}
			return
		}
		x.Advance(age)
	}
	x.Errorf("in 30 rounds the low one did not come, want it to come")
}

// Ageing is about priorities: among equals it is first in, first out as ever, and
// priorities that age together keep their distance.
func ageingKeepsOrder(x *exam) {
	envs := slices.Concat(tasks("low", 3), tasks("high", 2, priority(5)))
	x.publish(envs...)
	x.Advance(20*age + age/2)
	got := ids(x.collect(ageing(x.session()), len(envs)))
	same(x, "received", got, []string{"high-000", "high-001", "low-000", "low-001", "low-002"})
}

// "… that the envelope … has been due."
func ageingCountsFromDue(x *exam) {
	x.publish(task("low", delay(10*age)))
	x.Advance(10*age + age/2)
	x.publish(task("high", priority(1)))
	same(x, "received", ids(x.collect(ageing(x.session()), 2)), []string{"high", "low"})
}

// "… the envelope which is its next for this receiver."
func ageingSkipsUnknown(x *exam) {
	x.publish(task("unknown", called("unknown")))
	x.Advance(10*age + age/2)
	x.publish(task("low", called("known")), task("high", priority(1), called("known")))
	req := knowing(x.session(), "known")
	req.Max, req.AgeAfter = 1, age
	same(x, "received", ids(x.collect(req, 2)), []string{"high", "low"})
}

// "… first in, first out", for one publisher and one receiver.
func firstInFirstOut(x *exam) {
	s := x.session()
	var got, want []string
	for round := range 5 {
		envs := tasks(fmt.Sprintf("round%d", round), 12)
		want = append(want, named(envs)...)
		x.publish(envs[:5]...)
		x.publish(envs[5:]...)
		req := ask(s)
		req.Max = 4
		ds := x.collect(req, 10) // two stay behind for the next round
		got = append(got, ids(ds)...)
		x.settle(ack(ds...)...)
	}
	got = append(got, ids(x.take(s, 10))...)
	same(x, "received", got, want)
	x.nothing()
}

// "Queues are emptied in the order given."
func queuesInOrder(x *exam) {
	x.publish(tasks("c", 3, onQueue("qc"), priority(9))...)
	x.publish(tasks("a", 3, onQueue("qa"))...)
	x.publish(tasks("b", 3, onQueue("qb"), priority(5))...)
	req := stem.ReceiveRequest{Session: x.session(), Queues: []string{"qb", "qa", "qc"}, Max: 2}
	want := slices.Concat(named(tasks("b", 3)), named(tasks("a", 3)), named(tasks("c", 3)))
	same(x, "received", ids(x.collect(req, 9)), want)
}

// Nothing bounds how many queues a receiver asks for.
func manyQueues(x *exam) {
	const many = 200
	req := stem.ReceiveRequest{Session: x.session(), Max: 10}
	for i := range many {
		req.Queues = append(req.Queues, fmt.Sprintf("queue-%d", i))
	}
	c := x.receiving(req)
	c.blocks()
	x.publish(task("found", onQueue("queue-150")))
	same(x, "received", ids(c.answer()), []string{"found"})
}
