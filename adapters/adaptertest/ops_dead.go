package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

var (
	keepsDead = brokerHas[ops.DeadLetterKeeper]("ops.DeadLetterKeeper")
	annotates = backendHas[ops.ResultAnnotator]("ops.ResultAnnotator")
)

var deadKeeperPromises = []promise{
	{name: "pages have every dead letter once, the newest first", check: deadPages, needs: keepsDead},
	{name: "a dead letter in a page is the one that is listed without pages", check: deadPageSays, needs: keepsDead},
	{name: "dead letters are paged by name, by id and by time", check: deadFiltered, needs: keepsDead},
	{name: "pages have the dead letters that stay while others come and go", check: deadPagesMeanwhile, needs: keepsDead},
	{name: "dead letters are removed as they were listed", check: deadRemoved, needs: keepsDead},
	{name: "a dead letter that is gone is named, and its successor stays", check: deadGone, needs: keepsDead},
	{name: "a cursor that is none of the dead letters' is refused", check: deadStrangeCursor, needs: keepsDead},
	{name: "after close the keeper of dead letters answers ErrClosed", check: deadKeeperIsClosed, needs: keepsDead},
}

var annotatePromises = []promise{
	{name: "a record tells how often its dead letter was sent back, and as what", check: annotated, needs: annotates},
	{name: "a replay that is noted twice counts once", check: annotatedTwice, needs: annotates},
	{name: "a record that is annotated keeps its fence and its state", check: annotatedIsFenced, needs: annotates},
	{name: "a record that is annotated is kept no longer and no shorter", check: annotatedIsKept, needs: annotates},
	{name: "where there is no record none is annotated", check: annotatedNothing, needs: annotates},
	{name: "after close annotate answers ErrClosed", check: annotateIsClosed, needs: annotates},
}

// dead is the query for all dead letters of the one queue.
func dead() ops.DeadLetterQuery { return ops.DeadLetterQuery{Queue: queue, Limit: ops.MaxPage} }

func (x *exam) deadPage(q ops.DeadLetterQuery) ops.DeadLetterPage {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	keeper, _ := stem.As[ops.DeadLetterKeeper](x.Broker)
	page, err := keeper.ListDeadLetters(ctx, q)
	if err != nil {
		x.Fatalf("list dead letters: got error %v, want none", err)
	}
	x.lawfulPage(len(page.Letters), q.Limit, page.Looked, page.Next)
	for i := range page.Letters {
		if l := &page.Letters[i]; l.Queue != q.Queue || !short(l.Place) {
			x.Fatalf("dead letter: got %+v, want one of %s with a place", *l, q.Queue)
		}
	}
	return page
}

// buried gives all dead letters of a query, page by page.
func (x *exam) buried(q ops.DeadLetterQuery) (letters []ops.DeadLetter) {
	x.Helper()
	for range mostPages {
		page := x.deadPage(q)
		letters = append(letters, page.Letters...)
		if q.After = page.Next; q.After == "" {
			return letters
		}
	}
	x.Fatalf("list dead letters: got %d pages, want an end", mostPages)
	return nil
}

func buriedIDs(letters []ops.DeadLetter) []string {
	out := make([]string, len(letters))
	for i := range letters {
		out[i] = letters[i].ID
	}
	return out
}

// deads expects the dead letters of the one queue.
func (x *exam) deads(want ...string) []ops.DeadLetter {
	x.Helper()
	letters := x.buried(dead())
	x.exactly("dead letters", buriedIDs(letters), want)
	return letters
}

func (x *exam) tryRemove(letters ...ops.DeadLetter) error {
	ctx, cancel := x.bounded()
	defer cancel()
	keeper, _ := stem.As[ops.DeadLetterKeeper](x.Broker)
	return keeper.RemoveDeadLetters(ctx, queue, letters...)
}

func (x *exam) remove(letters ...ops.DeadLetter) {
	x.Helper()
	if err := x.tryRemove(letters...); err != nil {
		x.Fatalf("remove dead letters: got error %v, want none", err)
	}
}

// buries buries envelopes one after the other, some seconds apart.
func (x *exam) buries(envs ...stem.Envelope) {
	x.Helper()
	for _, e := range envs {
		x.bury(e, "the exam")
		x.Advance(tick)
	}
}

// newestFirst gives names in the order in which dead letters are shown.
func newestFirst(names []string) []string {
	names = slices.Clone(names)
	slices.Reverse(names)
	return names
}

// "ListDeadLetters answers dead letters, the newest first."
func deadPages(x *exam) {
	envs := tasks("a", 10)
	x.buries(envs...)
	x.bury(task("other", onQueue("other")), "the exam")
	q := dead()
	q.Limit = 3
	same(x, "dead letters", buriedIDs(x.peer().buried(q)), newestFirst(named(envs)))
	q.Queue = "nobody-knows-it"
	same(x, "dead letters of an unknown queue", buriedIDs(x.buried(q)), nil)
}

// A page shows what [stem.DeadLetter] says.
func deadPageSays(x *exam) {
	x.publish(fullEnvelope())
	d := x.takeOne(x.session())
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictDeadLetter, Reason: rough, Marks: map[string]string{"key": rough}})
	got := x.deads("full")
	e, err := stem.ParseEnvelope(got[0].Envelope)
	if err != nil {
		x.Fatalf("parse the dead letter's envelope: got error %v, want none", err)
	}
	x.sameEnvelope(&e, fullEnvelope())
	letter := got[0].DeadLetter
	letter.Envelope, letter.At = nil, time.Time{}
	same(x, "dead letter", letter,
		stem.DeadLetter{ID: "full", Task: "exam.full", Queue: queue, Reason: rough, Attempt: 1, Delivery: d.Number, Marks: map[string]string{"key": rough}})
	if listsDeadLetters.in(x.Stores) {
		same(x, "dead letter, listed without pages", x.deadLetters(queue, 1)[0], got[0].DeadLetter)
	}
}

// "Task and ID leave only letters of this name, and those of this id", "Since and Until leave only what was set aside
// from the one to before the other."
func deadFiltered(x *exam) {
	for i := range 6 {
		x.buries(task(fmt.Sprintf("a-%d", i), called([]string{"one", "two"}[i%2])))
	}
	x.buries(task("a-2", called("one"))) // the same id, once more
	letters := x.deads("a-2", "a-5", "a-4", "a-3", "a-2", "a-1", "a-0")
	q := dead()
	q.Task = "two"
	same(x, "of two", buriedIDs(x.buried(q)), []string{"a-5", "a-3", "a-1"})
	q.Task, q.ID = "", "a-2"
	same(x, "of an id", buriedIDs(x.buried(q)), []string{"a-2", "a-2"})
	q = dead()
	q.Since = letters[2].At
	same(x, "since", buriedIDs(x.buried(q)), []string{"a-2", "a-5", "a-4"})
	q.Until = letters[1].At
	same(x, "since and until", buriedIDs(x.buried(q)), []string{"a-4"})
	q.Since = time.Time{}
	same(x, "until", buriedIDs(x.buried(q)), []string{"a-4", "a-3", "a-2", "a-1", "a-0"})
	q.Limit = 2
	same(x, "until, page by page", buriedIDs(x.buried(q)), []string{"a-4", "a-3", "a-2", "a-1", "a-0"})
}

// What is there from the first page to the last is shown once.
func deadPagesMeanwhile(x *exam) {
	x.buries(tasks("a", 9)...)
	q := dead()
	q.Limit = 3
	first := x.deadPage(q)
	seen := buriedIDs(first.Letters)
	x.buries(tasks("new", 2)...)
	x.remove(first.Letters...)
	rest := x.buried(dead())
	if len(rest) != 8 {
		x.Fatalf("dead letters: got %q, want eight", buriedIDs(rest))
	}
	x.remove(rest[7]) // the oldest
	if q.After = first.Next; q.After == "" {
		x.Fatalf("first page: got no cursor after %q, want one", seen)
	}
	seen = append(seen, buriedIDs(x.buried(q))...)
	same(x, "dead letters", seen, newestFirst(named(tasks("a", 9)))[:8])
}

// "RemoveDeadLetters deletes dead letters as they were listed."
func deadRemoved(x *exam) {
	x.buries(tasks("a", 6)...)
	letters := x.deads(newestFirst(named(tasks("a", 6)))...)
	x.peer().remove(letters[0], letters[2], letters[3], letters[5])
	x.deads("a-004", "a-001")
	if counts.in(x.Stores) {
		x.counted(queue, stem.QueueCounts{Dead: 2})
	}
	same(x, "removed of no letter", x.tryRemove(), nil)
}

// "One that is not there any more is named by a *stem.PartialError with ErrGone": also where another one of the
// same id has come.
func deadGone(x *exam) {
	x.buries(tasks("a", 3)...)
	letters := x.deads("a-002", "a-001", "a-000")
	x.remove(letters[1])
	x.buries(task("a-001"))
	x.namesGone(x.tryRemove(letters[0], letters[1], letters[2], letters[0]), 1, 3)
	x.deads("a-001")
	for _, place := range append([]string{"", rough}, strange...) {
		made := ops.DeadLetter{DeadLetter: stem.DeadLetter{ID: "a-001", Queue: queue}, Place: place}
		x.namesGone(x.tryRemove(made), 0)
	}
}

// A cursor that is none of this list's is refused, as one of tasks is.
func deadStrangeCursor(x *exam) {
	x.buries(tasks("a", 2)...)
	keeper, _ := stem.As[ops.DeadLetterKeeper](x.Broker)
	for _, after := range strange {
		q := dead()
		q.After = after
		ctx, cancel := x.bounded()
		_, err := keeper.ListDeadLetters(ctx, q)
		cancel()
		x.isOptionError("dead letters after "+after, err)
	}
}

// "All methods … answer stem.ErrClosed after Close of the adapter."
func deadKeeperIsClosed(x *exam) {
	x.buries(task("a"))
	letters := x.buried(dead())
	x.close()
	keeper, _ := stem.As[ops.DeadLetterKeeper](x.Broker)
	_, err := keeper.ListDeadLetters(x.Context(), dead())
	x.closed("list dead letters", err)
	x.closed("remove dead letters", x.tryRemove(letters...))
}

func (x *exam) tryAnnotate(id, as string) error {
	ctx, cancel := x.bounded()
	defer cancel()
	annotator, _ := stem.As[ops.ResultAnnotator](x.Backend)
	return annotator.AnnotateReplay(ctx, id, as)
}

func (x *exam) annotate(id, as string) {
	x.Helper()
	if err := x.tryAnnotate(id, as); err != nil {
		x.Fatalf("annotate %s: got error %v, want none", id, err)
	}
}

// replays gives what a record tells of its replays, of which there must be some.
func (x *exam) replays(id string) *stem.Replays {
	x.Helper()
	rs, err := x.tryLoad(id)
	if err != nil {
		x.Fatalf("load %s: got error %v, want none", id, err)
	}
	if rs[0].Replays == nil {
		x.Fatalf("record %s: got no replays, want some", id)
	}
	return rs[0].Replays
}

// failed is the record of a task that failed.
func failed(id string) stem.Result {
	return outcome(id, 5, in(stem.StateFailed), func(r *stem.Result) {
		r.Failure = &stem.Failure{Kind: stem.FailureError, Message: rough}
		r.History = []stem.AttemptRecord{{Attempt: 1, At: time.UnixMilli(1767225600123).UTC(), Worker: "w", Message: rough}}
	})
}

// "AnnotateReplay notes in the record of id that its dead letter was sent back, as an envelope with the id as, now by the store's clock."
func annotated(x *exam) {
	want := failed("a")
	x.save(want, failed("b"))
	x.annotate("a", "replay-1")
	first := x.peer().replays("a")
	if first.Count != 1 || first.As != "replay-1" {
		x.Fatalf("replays: got %+v, want one as replay-1", first)
	}
	want.Replays = first
	x.stands(want, failed("b"))
	x.Advance(time.Hour)
	x.annotate("a", "replay-2")
	second := x.replays("a")
	if second.Count != 2 || second.As != "replay-2" {
		x.Fatalf("replays: got %+v, want two, the last as replay-2", second)
	}
	if apart := second.At.Sub(first.At); apart < time.Hour || apart > time.Hour+time.Minute {
		x.Errorf("time between the replays: got %v, want an hour", apart)
	}
}

// "Repeated with the same as it changes nothing."
func annotatedTwice(x *exam) {
	x.save(failed("a"))
	x.annotate("a", "replay")
	first := x.replays("a")
	x.Advance(time.Minute)
	x.annotate("a", "replay")
	same(x, "replays", x.replays("a"), first)
}

// "State, fence … stay as they are."
func annotatedIsFenced(x *exam) {
	x.save(failed("a"))
	x.annotate("a", "replay")
	x.lost(x.trySave(outcome("a", 4)), 0)
	x.lost(x.trySave(outcome("a", 5)), 0)
	same(x, "replays after writes that were refused", x.replays("a").Count, 1)
	x.save(outcome("a", 6))
	x.stands(outcome("a", 6))
}

// "… and the time for which the record is kept."
func annotatedIsKept(x *exam) {
	x.save(outcome("short", 1, in(stem.StateFailed), keep(time.Hour)), outcome("long", 1, in(stem.StateFailed), keep(10*time.Hour)))
	x.Advance(30 * time.Minute)
	x.annotate("short", "replay")
	x.annotate("long", "replay")
	x.Advance(31 * time.Minute)
	x.absent("short")
	x.Advance(8 * time.Hour)
	same(x, "replays of what is kept for long", x.replays("long").Count, 1)
}

// "It answers stem.ErrNoResult where there is no record."
func annotatedNothing(x *exam) {
	x.save(outcome("gone", 1, keep(time.Minute)))
	x.Advance(time.Hour)
	for _, id := range []string{"never", "gone"} {
		if err := x.tryAnnotate(id, "replay"); !errors.Is(err, stem.ErrNoResult) {
			x.Errorf("annotate %s: got error %v, want %v", id, err, stem.ErrNoResult)
		}
		x.absent(id)
	}
}

func annotateIsClosed(x *exam) {
	x.save(failed("a"))
	x.close()
	x.closed("annotate", x.tryAnnotate("a", "replay"))
}
