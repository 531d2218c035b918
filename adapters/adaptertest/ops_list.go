package adaptertest

import (
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

var (
	listsQueues   = brokerHas[ops.QueueLister]("ops.QueueLister")
	gauges        = brokerHas[ops.QueueGauger]("ops.QueueGauger")
	listsTasks    = brokerHas[ops.TaskLister]("ops.TaskLister")
	listsAndStops = capability{"ops.QueueLister or no stem.QueuePauser", func(s Stores) bool { return listsQueues.in(s) && pauses.in(s) }}
)

var listPromises = []promise{
	{name: "queues that hold anything are named once, in order", check: queuesAreNamed, needs: listsQueues},
	{name: "a queue that is paused is named", check: pausedQueueIsNamed, needs: listsAndStops},
	{name: "a gauge tells since when the oldest ready task has been due", check: gaugedOldest, needs: gauges},
	{name: "a gauge counts what waits after a failed attempt", check: gaugedRetries, needs: gauges},
	{name: "pages have every ready task once, in the order of their lines", check: readyPages, needs: listsTasks},
	{name: "pages have every delayed task once, by when it is due", check: delayedPages, needs: listsTasks},
	{name: "pages have every task once that runs or is set aside", check: otherPages, needs: listsTasks},
	{name: "a task is listed in the state that it is in, and in no other", check: listedInState, needs: listsTasks},
	{name: "a delay that is over is listed as ready", check: dueIsListedReady, needs: listsTasks},
	{name: "what a lapsed session holds is listed, with its lapse behind it or as ready", check: lapsedIsListed, needs: listsTasks},
	{name: "a task set aside is listed as unknown until somebody knows it", check: unknownIsListed, needs: listsTasks},
	{name: "a listed task says what the store knows of it", check: listedSays, needs: listsTasks},
	{name: "a list has the tasks of one name or one id where it is asked for them", check: listFiltered, needs: listsTasks},
	{name: "pages have what stays while others come and go", check: pagesMeanwhile, needs: listsTasks},
	{name: "tasks are listed by queue", check: listedByQueue, needs: listsTasks},
	{name: "a cursor that is none of a list's is refused", check: strangeCursor, needs: listsTasks},
	{name: "after close lists and gauges answer ErrClosed", check: listsAreClosed, needs: listsTasks},
}

// all is the query for the tasks of one state in the one queue.
func all(state ops.State) ops.TaskQuery {
	return ops.TaskQuery{Queue: queue, State: state, Limit: ops.MaxPage}
}

// page asks for one page of tasks, and checks what holds for any.
func (x *exam) page(q ops.TaskQuery) ops.TaskPage {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	lister, _ := stem.As[ops.TaskLister](x.Broker)
	page, err := lister.ListTasks(ctx, q)
	if err != nil {
		x.Fatalf("list %s tasks: got error %v, want none", q.State, err)
	}
	x.lawfulPage(len(page.Tasks), q.Limit, page.Looked, page.Next)
	for i := range page.Tasks {
		t := &page.Tasks[i]
		if t.Envelope == nil || t.Queue != q.Queue || t.State != q.State || t.Attempt < 1 || t.Now.IsZero() || !short(t.Place) {
			x.Fatalf("listed task: got %+v, want a %s one of %s with all that is listed of any", *t, q.State, q.Queue)
		}
	}
	return page
}

func (x *exam) lawfulPage(n, limit, looked int, next string) {
	x.Helper()
	if n > limit || looked < n {
		x.Fatalf("page: got %d entries of %d that were looked at, want at most %d", n, looked, limit)
	}
	if next != "" && !short(next) {
		x.Fatalf("page: got the cursor %q, want up to 200 printable bytes", next)
	}
}

// short tells what fits on a command line.
func short(s string) bool {
	return s != "" && len(s) <= ops.MaxCursor && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < '!' || b > '~' })
}

// mostPages is more than any of the suite's lists has, also if each page is a small one.
const mostPages = 500

// listed gives all tasks of a query, page by page.
func (x *exam) listed(q ops.TaskQuery) (tasks []ops.Task) {
	x.Helper()
	for range mostPages {
		page := x.page(q)
		tasks = append(tasks, page.Tasks...)
		if q.After = page.Next; q.After == "" {
			return tasks
		}
	}
	x.Fatalf("list %s tasks: got %d pages, want an end", q.State, mostPages)
	return nil
}

// lists expects the ids of the tasks in one state.
func (x *exam) lists(state ops.State, want ...string) []ops.Task {
	x.Helper()
	tasks := x.listed(all(state))
	x.exactly(string(state)+" tasks", taskIDs(tasks), want)
	return tasks
}

// exactly expects ids in their order. Without them the promise makes no sense any more.
func (x *exam) exactly(what string, got, want []string) {
	x.Helper()
	if !slices.Equal(got, want) {
		x.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

func taskIDs(tasks []ops.Task) []string {
	out := make([]string, len(tasks))
	for i := range tasks {
		out[i] = tasks[i].ID
	}
	return out
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// "All queues that hold a task or a dead letter …, each once and in order."
func queuesAreNamed(x *exam) {
	x.publish(task("a", onQueue("ready")), task("b", onQueue("delayed"), delay(time.Hour)), task("c", onQueue("running")), task("d", onQueue("aside"), called("strange")))
	x.receive(stem.ReceiveRequest{Session: x.session(), Queues: []string{"running"}, Max: 1})
	aside := knowing(x.session(), "other")
	aside.Queues = []string{"aside"}
	x.nothingFor(aside)
	x.bury(task("e", onQueue("dead")), "the exam")
	names := x.peer().queueNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		x.Errorf("queues: got %q, want each once and in order", names)
	}
	for _, want := range []string{"aside", "dead", "delayed", "ready", "running"} {
		if !slices.Contains(names, want) {
			x.Errorf("queues: got %q, want %q among them", names, want)
		}
	}
}

func (x *exam) queueNames() []string {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	lister, _ := stem.As[ops.QueueLister](x.Broker)
	names, err := lister.Queues(ctx)
	if err != nil {
		x.Fatalf("queues: got error %v, want none", err)
	}
	return names
}

// "… or are paused."
func pausedQueueIsNamed(x *exam) {
	x.pause("rests")
	same(x, "queues", x.queueNames(), []string{"rests"})
}

func (x *exam) gauge(queue string) ops.Gauge {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	gauger, _ := stem.As[ops.QueueGauger](x.Broker)
	g, err := gauger.GaugeQueue(ctx, queue)
	if err != nil {
		x.Fatalf("gauge %s: got error %v, want none", queue, err)
	}
	return g
}

// oldest expects for how long the oldest task has been ready.
func (x *exam) oldest(when string, want time.Duration) {
	x.Helper()
	got := x.gauge(queue).Oldest
	if got < want || got > want+time.Minute {
		x.Errorf("oldest %s: got %v, want %v and the time of the calls", when, got, want)
	}
}

// "Oldest is how long the ready task has been due that has been so for longest."
func gaugedOldest(x *exam) {
	same(x, "gauge of an unknown queue", x.gauge("nobody-knows-it"), ops.Gauge{})
	x.publish(task("later", delay(5*time.Hour)))
	same(x, "gauge without a ready task", x.gauge(queue), ops.Gauge{})
	x.publish(task("a"))
	x.Advance(time.Hour)
	x.publish(task("b", priority(5)))
	x.Advance(time.Hour)
	x.publish(task("c"))
	x.oldest("of three", 2*time.Hour)
	same(x, "taken", ids(x.take(x.session(), 2)), []string{"b", "a"})
	x.oldest("of one", 0)
	x.Advance(4 * time.Hour)
	x.take(x.session(), 4) // the first two are taken over
	x.publish(task("d"))
	x.Advance(time.Minute / 2)
	x.oldest("without what runs", time.Minute/2)
}

// "Retrying is how many of the delayed ones are in that state."
func gaugedRetries(x *exam) {
	x.publish(tasks("later", 3, delay(time.Hour))...)
	x.publish(tasks("a", 4)...)
	ds := x.take(x.session(), 4)
	later := func(d stem.Delivery, v stem.Verdict) stem.Settlement {
		return stem.Settlement{Delivery: d, Verdict: v, Delay: time.Hour}
	}
	x.settle(later(ds[0], stem.VerdictRetry), later(ds[1], stem.VerdictRetry), later(ds[2], stem.VerdictSnooze))
	same(x, "retrying", x.gauge(queue).Retrying, 2)
	x.Advance(time.Hour + tick)
	same(x, "retrying, when their delay is over", x.gauge(queue).Retrying, 0)
}

// paged expects all tasks of a state, in pages of three.
func (x *exam) paged(state ops.State, want []string, order func([]string) []string) {
	x.Helper()
	q := all(state)
	q.Limit = 3
	same(x, string(state)+" tasks", order(taskIDs(x.listed(q))), order(want))
}

func asListed(ids []string) []string { return ids }

// "Those that are ready in the order of their lines, higher priorities first."
func readyPages(x *exam) {
	x.publish(tasks("low", 8)...)
	x.publish(tasks("high", 5, priority(9), called("one"))...)
	x.publish(tasks("more", 4, called("two"))...)
	x.publish(tasks("middle", 2, priority(4))...)
	x.publish(tasks("later", 2, delay(time.Hour))...)
	want := slices.Concat(named(tasks("high", 5)), named(tasks("middle", 2)), named(tasks("low", 8)), named(tasks("more", 4)))
	x.paged(ops.Ready, want, asListed)
	same(x, "what is received", ids(x.take(x.session(), 19)), want)
}

// "Those that are delayed or retrying by when they are due."
func delayedPages(x *exam) {
	var want []string
	for i, id := range []string{"g", "c", "a", "f", "b", "e", "d"} {
		x.publish(task(id, delay(time.Duration(id[0]-'a'+1)*time.Hour), priority(i)))
		want = append(want, id)
	}
	x.publish(tasks("failed", 5, priority(8))...)
	for i, d := range x.take(x.session(), 5) {
		x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictRetry, Delay: time.Duration(9-i) * time.Hour})
	}
	x.paged(ops.Delayed, sorted(want), asListed)
	x.paged(ops.Retrying, []string{"failed-004", "failed-003", "failed-002", "failed-001", "failed-000"}, asListed)
}

// "Others in any order that stays."
func otherPages(x *exam) {
	x.publish(tasks("a", 8)...)
	x.publish(tasks("strange", 7, called("strange"))...)
	x.publish(tasks("foreign", 4, called("foreign"), priority(3))...)
	x.collect(knowing(x.session(), "exam.task"), 5)
	x.collect(knowing(x.session(), "exam.task"), 3)
	x.nothingFor(knowing(x.session(), "exam.task"))
	x.paged(ops.Running, named(tasks("a", 8)), sorted)
	x.paged(ops.Unknown, slices.Concat(named(tasks("strange", 7)), named(tasks("foreign", 4))), sorted)
}

// listedAs expects that the task is listed in one state and in no other.
func (x *exam) listedAs(id string, want ops.State) ops.Task {
	x.Helper()
	var found ops.Task
	for _, state := range ops.States {
		q := all(state)
		q.ID = id
		tasks := x.listed(q)
		if n := len(tasks); (n == 1) != (state == want) || n > 1 {
			x.Fatalf("task %s: got %d of it that are %s, want it to be %s", id, n, state, orNothing(want))
		}
		if state == want {
			found = tasks[0]
		}
	}
	return found
}

func orNothing(s ops.State) string {
	if s == "" {
		return "nowhere"
	}
	return string(s)
}

// "State says where in its queue a task is": along its life.
func listedInState(x *exam) {
	x.publish(task("a"))
	t := x.listedAs("a", ops.Ready)
	same(x, "delivery of one that was never lent", t.Delivery, 0)
	same(x, "session of one that waits", t.Session, "")
	s := x.session()
	d := x.takeOne(s)
	t = x.listedAs("a", ops.Running)
	x.numbered(t, d)
	same(x, "session", t.Session, s.ID)
	if left := t.Lapses.Sub(t.Now); left <= 0 || left > lease+tick {
		x.Errorf("lapse of its session: got in %v, want within %v", left, lease)
	}
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictSnooze, Delay: time.Minute})
	same(x, "snoozes", x.listedAs("a", ops.Delayed).Snoozes, 1)
	x.Advance(time.Minute + tick)
	d = x.takeOne(s)
	marks := map[string]string{"key": rough}
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictRetry, Delay: time.Minute, Marks: marks})
	t = x.listedAs("a", ops.Retrying)
	same(x, "attempt", t.Attempt, 2)
	same(x, "marks", t.Marks, marks)
	x.numbered(t, d)
	x.Advance(time.Minute + tick)
	x.settle(end(x.takeOne(s), stem.VerdictRelease))
	t = x.peer().listedAs("a", ops.Ready)
	same(x, "releases", t.Releases, 1)
	same(x, "attempt of one released", t.Attempt, 2)
	x.settle(ack(x.takeOne(s))...)
	x.listedAs("a", "")
}

// numbered expects that a listed task has the number of its last delivery, or none where the store does not keep it.
func (x *exam) numbered(t ops.Task, last stem.Delivery) {
	x.Helper()
	if t.Delivery != 0 {
		same(x, "delivery of one that is "+string(t.State), t.Delivery, last.Number)
	}
}

// "Ready: due, and waiting for a worker", by the clock, whether or not a receiver has come by.
func dueIsListedReady(x *exam) {
	x.publish(task("a", delay(time.Hour)), task("b", delay(3*time.Hour)))
	x.Advance(time.Hour + tick)
	x.listedAs("a", ops.Ready)
	x.listedAs("b", ops.Delayed)
}

// "In the past where it has lapsed and nobody has taken the task over yet."
func lapsedIsListed(x *exam) {
	x.publish(task("a"))
	x.takeOne(x.session())
	x.lapse()
	found := slices.Concat(x.listed(all(ops.Running)), x.listed(all(ops.Ready)))
	x.exactly("tasks", taskIDs(found), []string{"a"})
	if t := found[0]; t.State == ops.Running && !t.Lapses.Before(t.Now) {
		x.Errorf("lapse: got %v, want it before %v", t.Lapses, t.Now)
	}
	s := x.session()
	x.takeOne(s)
	t := x.listedAs("a", ops.Running)
	same(x, "session", t.Session, s.ID)
	same(x, "interruptions", t.Interruptions, 1)
}

// "Unknown: set aside until a worker comes that knows the task and the schema of its args."
func unknownIsListed(x *exam) {
	x.publish(task("a", called("strange")), task("b"))
	x.collect(knowing(x.session(), "exam.task"), 1)
	x.nothingFor(knowing(x.session(), "exam.task"))
	x.listedAs("a", ops.Unknown)
	x.listedAs("b", ops.Running)
	x.collect(knowing(x.session(), "strange"), 1)
	x.listedAs("a", ops.Running)
}

// "Task is a task that waits or runs, as its store has it."
func listedSays(x *exam) {
	want := fullEnvelope()
	want.Delay = time.Hour
	x.publish(want)
	t := x.listedAs(want.ID, ops.Delayed)
	x.sameEnvelope(t.Envelope, want)
	same(x, "malformed", t.Malformed, nil)
	near := func(what string, got time.Time, want time.Duration) {
		x.Helper()
		if off := t.Now.Sub(got) - want; !got.IsZero() && (off < -tick || off > time.Minute) {
			x.Errorf("%s: got %v at %v, want %v ago", what, got, t.Now, want)
		}
	}
	near("due", t.Due, -time.Hour)
	x.Advance(30 * time.Minute)
	t = x.listedAs(want.ID, ops.Delayed)
	near("published", t.Published, 30*time.Minute)
	near("due", t.Due, -30*time.Minute)
	if t.Due.IsZero() {
		x.Errorf("due: got none, want that of a task that is delayed")
	}
}

// "Task and ID leave only tasks of this name, and the one of this id."
func listFiltered(x *exam) {
	x.publish(tasks("a", 4, called("one"))...)
	x.publish(tasks("b", 4, called("two"))...)
	x.publish(tasks("c", 3, called("one"), delay(time.Hour))...)
	q := all(ops.Ready)
	q.Task = "one"
	same(x, "of one", taskIDs(x.listed(q)), named(tasks("a", 4)))
	q.Task, q.ID = "", "b-002"
	same(x, "of the id", taskIDs(x.listed(q)), []string{"b-002"})
	q.Task = "one"
	same(x, "of the id and another name", taskIDs(x.listed(q)), nil)
	q = all(ops.Delayed)
	q.Task = "one"
	same(x, "delayed of one", taskIDs(x.listed(q)), named(tasks("c", 3)))
	q.Task = "three"
	same(x, "of an unknown name", taskIDs(x.listed(q)), nil)
}

// "A task that is in the state from the first page to the last is answered once."
func pagesMeanwhile(x *exam) {
	x.publish(tasks("a", 9)...)
	q := all(ops.Ready)
	q.Limit = 3
	first := x.page(q)
	seen := taskIDs(first.Tasks)
	x.publish(tasks("new", 4)...)
	x.publish(tasks("urgent", 2, priority(9))...)
	x.collect(ask(x.session()), 4) // the urgent ones and two that were listed
	q.After = first.Next
	if q.After == "" {
		x.Fatalf("first page: got no cursor after %q, want one", seen)
	}
	seen = append(seen, taskIDs(x.listed(q))...)
	for _, stays := range named(tasks("a", 9))[2:] {
		if n := count(seen, stays); n != 1 {
			x.Errorf("task %s: got it listed %d times in %q, want once", stays, n, seen)
		}
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// "Queue is the one queue that is looked through."
func listedByQueue(x *exam) {
	x.publish(task("a", onQueue("one")), task("b", onQueue("two")))
	q := all(ops.Ready)
	for queue, want := range map[string][]string{"one": {"a"}, "two": {"b"}, "three": nil} {
		q.Queue = queue
		same(x, "tasks of "+queue, taskIDs(x.listed(q)), want)
	}
}

// strange are cursors that no list has given.
var strange = []string{"x", "1", "-", "1.2.3.4.5.6.7", "ready.x.y.z", punctuation}

// "A cursor that is none of this list's is refused with a *stem.OptionError."
func strangeCursor(x *exam) {
	x.publish(tasks("a", 3)...)
	lister, _ := stem.As[ops.TaskLister](x.Broker)
	for _, state := range ops.States {
		for _, after := range strange {
			q := all(state)
			q.After = after
			ctx, cancel := x.bounded()
			_, err := lister.ListTasks(ctx, q)
			cancel()
			x.isOptionError(string(state)+" tasks after "+after, err)
		}
	}
}

// "All methods … answer stem.ErrClosed after Close of the adapter."
func listsAreClosed(x *exam) {
	x.publish(task("a"))
	x.close()
	ctx := x.Context()
	lister, _ := stem.As[ops.TaskLister](x.Broker)
	_, err := lister.ListTasks(ctx, all(ops.Ready))
	x.closed("list tasks", err)
	if names, ok := stem.As[ops.QueueLister](x.Broker); ok {
		_, err = names.Queues(ctx)
		x.closed("queues", err)
	}
	if gauger, ok := stem.As[ops.QueueGauger](x.Broker); ok {
		_, err = gauger.GaugeQueue(ctx, queue)
		x.closed("gauge", err)
	}
}
