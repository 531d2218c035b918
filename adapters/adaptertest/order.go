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
