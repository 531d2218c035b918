package adaptertest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// faultyOps changes what passes between an operator and a correct store. A nil hook changes nothing.
type faultyOps struct {
	faultyBroker
	right     *memory.Store
	names     func(names []string) []string
	gauge     func(g *ops.Gauge)
	query     func(q *ops.TaskQuery)
	page      func(page *ops.TaskPage)
	task      func(t *ops.Task)
	hasten    func(tasks []ops.Task) error
	remove    func(tasks []ops.Task) error
	deadQuery func(q *ops.DeadLetterQuery)
	deadPage  func(page *ops.DeadLetterPage)
	unbury    func(queue string, letters []ops.DeadLetter) error
	failure   func(err error) error
}

func (f *faultyOps) fail(err error) error {
	if f.failure != nil {
		return f.failure(err)
	}
	return err
}

func (f *faultyOps) Queues(ctx context.Context) ([]string, error) {
	names, err := f.right.Queues(ctx)
	if f.names != nil {
		names = f.names(names)
	}
	return names, f.fail(err)
}

func (f *faultyOps) GaugeQueue(ctx context.Context, queue string) (ops.Gauge, error) {
	g, err := f.right.GaugeQueue(ctx, queue)
	if f.gauge != nil {
		f.gauge(&g)
	}
	return g, f.fail(err)
}

func (f *faultyOps) ListTasks(ctx context.Context, q ops.TaskQuery) (ops.TaskPage, error) {
	if f.query != nil {
		f.query(&q)
	}
	page, err := f.right.ListTasks(ctx, q)
	if f.page != nil {
		f.page(&page)
	}
	for i := range page.Tasks {
		if f.task != nil {
			f.task(&page.Tasks[i])
		}
	}
	return page, f.fail(err)
}

func (f *faultyOps) HastenTasks(ctx context.Context, tasks ...ops.Task) error {
	if f.hasten != nil {
		return f.hasten(tasks)
	}
	return f.fail(f.right.HastenTasks(ctx, tasks...))
}

func (f *faultyOps) DeleteTasks(ctx context.Context, tasks ...ops.Task) error {
	if f.remove != nil {
		return f.remove(tasks)
	}
	return f.fail(f.right.DeleteTasks(ctx, tasks...))
}

func (f *faultyOps) ListDeadLetters(ctx context.Context, q ops.DeadLetterQuery) (ops.DeadLetterPage, error) {
	if f.deadQuery != nil {
		f.deadQuery(&q)
	}
	page, err := f.right.ListDeadLetters(ctx, q)
	if f.deadPage != nil {
		f.deadPage(&page)
	}
	return page, f.fail(err)
}

func (f *faultyOps) RemoveDeadLetters(ctx context.Context, queue string, letters ...ops.DeadLetter) error {
	if f.unbury != nil {
		return f.unbury(queue, letters)
	}
	return f.fail(f.right.RemoveDeadLetters(ctx, queue, letters...))
}

// operating makes a fault of what to set on a faulty store.
func operating(set func(f *faultyOps)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[*memory.Store](s.Broker)
		f := &faultyOps{faultyBroker: faultyBroker{Broker: s.Broker}, right: right}
		set(f)
		s.Broker = f
	}
}

// faultyAnnotator changes what is noted of replays.
type faultyAnnotator struct {
	stem.Backend
	right    *memory.Store
	annotate func(id, as string) error
}

func (f *faultyAnnotator) AnnotateReplay(_ context.Context, id, as string) error {
	return f.annotate(id, as)
}

// annotating makes a fault of an AnnotateReplay of its own, which may use the correct one.
func annotating(annotate func(right *memory.Store, id, as string) error) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[*memory.Store](s.Backend)
		s.Backend = &faultyAnnotator{Backend: s.Backend, right: right, annotate: func(id, as string) error { return annotate(right, id, as) }}
	}
}

// unGone takes everything for done.
func unGone(err error) error {
	if errors.As(err, new(*stem.PartialError)) {
		return nil
	}
	return err
}

var opsMutants = []mutant{
	{"forgets a queue", operating(func(f *faultyOps) { f.names = func(names []string) []string { return names[1:] } }), []string{
		"Capabilities/queues that hold anything are named once, in order",
		"Capabilities/a queue that is paused is named",
	}},
	{"names queues in no order", operating(func(f *faultyOps) {
		f.names = func(names []string) []string { slices.Reverse(names); return names }
	}), []string{"Capabilities/queues that hold anything are named once, in order"}},
	{"measures nothing", operating(func(f *faultyOps) { f.gauge = func(g *ops.Gauge) { *g = ops.Gauge{} } }), []string{
		"Capabilities/a gauge tells since when the oldest ready task has been due",
		"Capabilities/a gauge counts what waits after a failed attempt",
	}},
	{"measures what is delayed", operating(func(f *faultyOps) { f.gauge = func(g *ops.Gauge) { g.Retrying++ } }), []string{
		"Capabilities/a gauge tells since when the oldest ready task has been due",
		"Capabilities/a gauge counts what waits after a failed attempt",
	}},
	{"lists nothing", operating(func(f *faultyOps) { f.page = func(page *ops.TaskPage) { *page = ops.TaskPage{} } }), []string{
		"Capabilities/pages have every ready task once, in the order of their lines",
		"Capabilities/pages have every delayed task once, by when it is due",
		"Capabilities/pages have every task once that runs or is set aside",
		"Capabilities/a task is listed in the state that it is in, and in no other",
		"Capabilities/a delay that is over is listed as ready",
		"Capabilities/what a lapsed session holds is listed, with its lapse behind it or as ready",
		"Capabilities/a task set aside is listed as unknown until somebody knows it",
		"Capabilities/a listed task says what the store knows of it",
		"Capabilities/a list has the tasks of one name or one id where it is asked for them",
		"Capabilities/pages have what stays while others come and go",
		"Capabilities/tasks are listed by queue",
	}},
	{"lists from the end", operating(func(f *faultyOps) { f.page = func(page *ops.TaskPage) { slices.Reverse(page.Tasks) } }), []string{
		"Capabilities/pages have every ready task once, in the order of their lines",
		"Capabilities/pages have every delayed task once, by when it is due",
	}},
	{"has one page only", operating(func(f *faultyOps) { f.page = func(page *ops.TaskPage) { page.Next = "" } }), []string{
		"Capabilities/pages have every ready task once, in the order of their lines",
		"Capabilities/pages have every task once that runs or is set aside",
		"Capabilities/pages have what stays while others come and go",
	}},
	{"begins each page where the last began", operating(func(f *faultyOps) { f.query = func(q *ops.TaskQuery) { q.After = "" } }), []string{
		"Capabilities/pages have every ready task once, in the order of their lines",
		"Capabilities/a cursor that is none of a list's is refused",
	}},
	{"takes retries for delays", operating(func(f *faultyOps) {
		f.query = func(q *ops.TaskQuery) {
			if q.State == ops.Retrying {
				q.State = ops.Delayed
			}
		}
	}), []string{"Capabilities/a task is listed in the state that it is in, and in no other"}},
	{"shows the lapse of a session that has lapsed in the future", operating(func(f *faultyOps) {
		f.task = func(t *ops.Task) { t.State, t.Lapses = ops.Running, t.Now.Add(time.Minute) }
	}), []string{"Capabilities/what a lapsed session holds is listed, with its lapse behind it or as ready"}},
	{"shows the number of another delivery", operating(func(f *faultyOps) {
		f.task = func(t *ops.Task) {
			if t.State == ops.Running {
				t.Delivery++
			}
		}
	}), []string{"Capabilities/a task is listed in the state that it is in, and in no other"}},
	{"mangles what it lists", operating(func(f *faultyOps) {
		f.task = func(t *ops.Task) {
			e := *t.Envelope
			e.Priority++
			t.Envelope = &e
		}
	}), []string{"Capabilities/a listed task says what the store knows of it"}},
	{"filters nothing", operating(func(f *faultyOps) { f.query = func(q *ops.TaskQuery) { q.Task, q.ID = "", "" } }), []string{
		"Capabilities/a list has the tasks of one name or one id where it is asked for them",
	}},
	{"lists another queue", operating(func(f *faultyOps) { f.query = func(q *ops.TaskQuery) { q.Queue = "one" } }), []string{
		"Capabilities/tasks are listed by queue",
	}},
	{"lists on after its close", operating(func(f *faultyOps) {
		f.failure = func(err error) error {
			if errors.Is(err, stem.ErrClosed) {
				return nil
			}
			return err
		}
	}), []string{
		"Capabilities/after close lists and gauges answer ErrClosed",
		"Capabilities/after close changes answer ErrClosed",
		"Capabilities/after close the keeper of dead letters answers ErrClosed",
	}},

	{"hastens nothing", operating(func(f *faultyOps) { f.hasten = func([]ops.Task) error { return nil } }), []string{
		"Capabilities/a delayed task that is hastened is lent at once, also to who waits",
		"Capabilities/a retry that is hastened is as it was",
		"Capabilities/what is not delayed any more is not hastened",
		"Capabilities/what is gone is named, and the rest of the batch is done",
	}},
	{"publishes anew what it hastens", operating(func(f *faultyOps) {
		f.hasten = func(tasks []ops.Task) error {
			if err := f.right.DeleteTasks(context.Background(), tasks...); err != nil {
				return err
			}
			for i := range tasks {
				e := *tasks[i].Envelope
				e.Delay = 0
				if _, err := f.Broker.Publish(context.Background(), e); err != nil {
					return err
				}
			}
			return nil
		}
	}), []string{"Capabilities/a retry that is hastened is as it was"}},
	{"deletes nothing", operating(func(f *faultyOps) { f.remove = func([]ops.Task) error { return nil } }), []string{
		"Capabilities/a task that waits is deleted in any state",
		"Capabilities/a deleted task leaves the others in their order",
		"Capabilities/a deleted task may be published again",
		"Capabilities/a deleted task lets its unique key go",
		"Capabilities/a task on loan is not deleted",
		"Capabilities/a task that has run since it was listed is not deleted",
		"Capabilities/a task is deleted or lent, never both",
		"Capabilities/what is gone is named, and the rest of the batch is done",
	}},
	{"tells of nothing that is gone", operating(func(f *faultyOps) { f.failure = unGone }), []string{
		"Capabilities/what is not delayed any more is not hastened",
		"Capabilities/a task on loan is not deleted",
		"Capabilities/a task that has run since it was listed is not deleted",
		"Capabilities/what is gone is named, and the rest of the batch is done",
		"Capabilities/places that no list has given are gone",
		"Capabilities/a dead letter that is gone is named, and its successor stays",
	}},
	{"deletes by receiving", operating(func(f *faultyOps) {
		f.remove = func(tasks []ops.Task) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			ds, err := f.Broker.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "deleter", Lease: time.Hour}, Queues: []string{"default"}, Max: len(tasks)})
			if err != nil {
				return err
			}
			return f.Broker.Settle(context.Background(), settlements(ds)...)
		}
	}), []string{
		"Capabilities/a task that waits is deleted in any state",
		"Capabilities/a deleted task leaves the others in their order",
	}},

	{"shows no dead letter", operating(func(f *faultyOps) { f.deadPage = func(page *ops.DeadLetterPage) { *page = ops.DeadLetterPage{} } }), []string{
		"Capabilities/pages have every dead letter once, the newest first",
		"Capabilities/a dead letter in a page is the one that is listed without pages",
		"Capabilities/dead letters are paged by name, by id and by time",
		"Capabilities/pages have the dead letters that stay while others come and go",
		"Capabilities/dead letters are removed as they were listed",
		"Capabilities/a dead letter that is gone is named, and its successor stays",
	}},
	{"shows dead letters from the oldest", operating(func(f *faultyOps) {
		f.deadPage = func(page *ops.DeadLetterPage) { slices.Reverse(page.Letters) }
	}), []string{
		"Capabilities/pages have every dead letter once, the newest first",
		"Capabilities/pages have the dead letters that stay while others come and go",
	}},
	{"shows what was dead-lettered at any time", operating(func(f *faultyOps) {
		f.deadQuery = func(q *ops.DeadLetterQuery) { q.Since, q.Until = time.Time{}, time.Time{} }
	}), []string{"Capabilities/dead letters are paged by name, by id and by time"}},
	{"begins each page of dead letters with the newest", operating(func(f *faultyOps) {
		f.deadQuery = func(q *ops.DeadLetterQuery) { q.After = "" }
	}), []string{
		"Capabilities/pages have every dead letter once, the newest first",
		"Capabilities/a cursor that is none of the dead letters' is refused",
	}},
	{"loses the reason of a dead letter", operating(func(f *faultyOps) {
		f.deadPage = func(page *ops.DeadLetterPage) {
			for i := range page.Letters {
				page.Letters[i].Reason = ""
			}
		}
	}), []string{"Capabilities/a dead letter in a page is the one that is listed without pages"}},
	{"removes no dead letter", operating(func(f *faultyOps) { f.unbury = func(string, []ops.DeadLetter) error { return nil } }), []string{
		"Capabilities/dead letters are removed as they were listed",
		"Capabilities/a dead letter that is gone is named, and its successor stays",
	}},

	{"annotates nothing", annotating(func(*memory.Store, string, string) error { return nil }), []string{
		"Capabilities/a record tells how often its dead letter was sent back, and as what",
		"Capabilities/a record that is annotated keeps its fence and its state",
		"Capabilities/a record that is annotated is kept no longer and no shorter",
		"Capabilities/where there is no record none is annotated",
		"Capabilities/after close annotate answers ErrClosed",
	}},
	{"counts every call", annotating(func(right *memory.Store, id, as string) error {
		_ = right.AnnotateReplay(context.Background(), id, as+"-before")
		return right.AnnotateReplay(context.Background(), id, as)
	}), []string{
		"Capabilities/a record tells how often its dead letter was sent back, and as what",
		"Capabilities/a replay that is noted twice counts once",
	}},
	{"saves the record anew", annotating(func(right *memory.Store, id, as string) error {
		rs, err := right.Load(context.Background(), id)
		if err != nil {
			return stem.ItemErr(err, 0)
		}
		rs[0].Delivery++
		rs[0].Keep = 24 * time.Hour
		rs[0].Replays = &stem.Replays{Count: 1, As: as}
		return right.Save(context.Background(), rs[0])
	}), []string{
		"Capabilities/a record that is annotated keeps its fence and its state",
		"Capabilities/a record that is annotated is kept no longer and no shorter",
	}},
}

// settlements acknowledges deliveries.
func settlements(ds []stem.Delivery) []stem.Settlement {
	ss := make([]stem.Settlement, len(ds))
	for i, d := range ds {
		ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}
	}
	return ss
}
