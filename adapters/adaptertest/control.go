package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// control is a broker that takes commands to workers there, and their replies back.
var control = capability{"stem.CommandPoster and stem.CommandReceiver", func(s Stores) bool {
	_, posts := stem.As[stem.CommandPoster](s.Broker)
	_, receives := stem.As[stem.CommandReceiver](s.Broker)
	return posts && receives
}}

var controlPromises = []promise{
	{name: "a command is heard as it was posted", check: commandAsPosted, needs: control},
	{name: "who begins to listen hears what is posted from then on", check: commandsFromNowOn, needs: control},
	{name: "each who listens hears every command once and in order", check: commandsOnceInOrder, needs: control},
	{name: "await commands is woken by a command", check: commandWakes, needs: control},
	{name: "await commands is woken by the command of another connection", check: commandWakesElsewhere, needs: control},
	{name: "what is posted while nobody waits is heard", check: commandsMeanwhile, needs: control},
	{name: "a command goes when its time is over", check: commandEnds, needs: control},
	{name: "a command outlives its connection", check: commandStays, needs: control},
	{name: "await commands answers its context's error when that ends", check: awaitCommandsEnds, needs: control},
	{name: "a command that no worker could read is refused", check: commandRefused, needs: control},
	{name: "a reply reaches who asks as it was given", check: replyAsGiven, needs: control},
	{name: "replies are those to the one command, in order", check: repliesInOrder, needs: control},
	{name: "replies is woken by a reply of another connection", check: replyWakes, needs: control},
	{name: "a reply goes when its time is over", check: replyEnds, needs: control},
	{name: "replies answers its context's error when that ends", check: repliesEnds, needs: control},
	{name: "a reply to nothing, of nobody or without a time is refused", check: replyRefused, needs: control},
	{name: "close ends who waits for commands and for replies", check: closeEndsControl, needs: control},
	{name: "after close commands and replies answer ErrClosed", check: controlIsClosed, needs: control},
}

// order gives a command that is kept for half a minute.
func order(id string) stem.Command {
	return stem.Command{ID: id, Verb: stem.CommandPing, For: 30 * time.Second}
}

// word gives a reply that is kept for half a minute.
func word(command, worker string) stem.Reply {
	return stem.Reply{Command: command, Worker: worker, For: 30 * time.Second}
}

func (x *exam) tryPost(c stem.Command) error {
	ctx, cancel := x.bounded()
	defer cancel()
	poster, _ := stem.As[stem.CommandPoster](x.Broker)
	return poster.PostCommand(ctx, c)
}

func (x *exam) post(cs ...stem.Command) {
	x.Helper()
	for _, c := range cs {
		if err := x.tryPost(c); err != nil {
			x.Fatalf("post command %s: got error %v, want none", c.ID, err)
		}
	}
}

func (x *exam) tryReply(r stem.Reply) error {
	ctx, cancel := x.bounded()
	defer cancel()
	receiver, _ := stem.As[stem.CommandReceiver](x.Broker)
	return receiver.Reply(ctx, r)
}

func (x *exam) reply(rs ...stem.Reply) {
	x.Helper()
	for _, r := range rs {
		if err := x.tryReply(r); err != nil {
			x.Fatalf("reply to %s: got error %v, want none", r.Command, err)
		}
	}
}

// ear hears commands, or the replies to one, and knows how far it has come.
type ear[T any] struct {
	x     *exam
	await func(ctx context.Context, after string) ([]T, string, error)
	after string
}

// listen gives one who begins to listen to commands now.
func (x *exam) listen() *ear[stem.Command] {
	x.Helper()
	receiver, _ := stem.As[stem.CommandReceiver](x.Broker)
	e := &ear[stem.Command]{x: x, await: receiver.AwaitCommands}
	ctx, cancel := x.bounded()
	defer cancel()
	cs, next, err := receiver.AwaitCommands(ctx, "")
	if err != nil || len(cs) > 0 || next == "" {
		x.Fatalf("await commands from now on: got %v, place %q and error %v, want no command and a place", cs, next, err)
	}
	e.after = next
	return e
}

// asking gives one who reads the replies to a command, from the first.
func (x *exam) asking(command string) *ear[stem.Reply] {
	poster, _ := stem.As[stem.CommandPoster](x.Broker)
	return &ear[stem.Reply]{x: x, await: func(ctx context.Context, after string) ([]stem.Reply, string, error) {
		return poster.Replies(ctx, command, after)
	}}
}

// begin waits for what comes next, beside what follows.
func (e *ear[T]) begin() *call[[]T] {
	return start(e.x, func(ctx context.Context) (all []T, err error) {
		all, e.after, err = e.await(ctx, e.after)
		return all, err
	})
}

// hear gives the next n, which may come one by one.
func (e *ear[T]) hear(n int) (all []T) {
	e.x.Helper()
	for len(all) < n {
		all = append(all, e.begin().answer()...)
	}
	return all
}

// silence expects that nothing more comes.
func (e *ear[T]) silence() {
	e.x.Helper()
	place := e.after
	c := e.begin()
	c.blocks()
	c.cancel()
	if all, err := c.end(); err == nil {
		e.x.Fatalf("got %v, want nothing", all)
	}
	e.after = place
}

func ordered(cs []stem.Command) (ids string) {
	for _, c := range cs {
		ids += c.ID
	}
	return ids
}

func given(rs []stem.Reply) (workers string) {
	for _, r := range rs {
		workers += r.Worker
	}
	return workers
}

// With every field, and as much as a command may say.
func commandAsPosted(x *exam) {
	e := x.listen()
	full := stem.Command{
		ID: "0197a1b2-0000-7000-8000-000000000001", Verb: "later-verb", For: 24 * time.Hour, Family: true, Mode: stem.StopHard, Slots: 100_000,
		Actor: "änn@desk", Reason: rough + strings.Repeat("x", 900), Signature: []byte{0, 1, 255},
	}
	for i := range 1000 {
		name := fmt.Sprintf("%0200d", i)
		full.Workers, full.Queues, full.IDs = append(full.Workers, name), append(full.Queues, name), append(full.IDs, name)
	}
	x.post(full)
	same(x, "command", e.hear(1)[0], full)
}

// "… from which all is seen that is posted when it has answered." A worker that starts late obeys nothing old.
func commandsFromNowOn(x *exam) {
	x.listen().silence() // in a store that has never had any
	x.post(order("a"))
	e := x.listen()
	e.silence()
	x.post(order("b"))
	same(x, "commands", ordered(e.hear(1)), "b")
}

// "… in the order in which they were posted" and "what many workers read, each of them gets".
func commandsOnceInOrder(x *exam) {
	first, second := x.listen(), x.peer().listen()
	x.post(order("a"))
	same(x, "commands of the first", ordered(first.hear(1)), "a")
	x.peer().post(order("b"))
	x.post(order("c"))
	x.peer().post(order("d"), order("e"))
	same(x, "more of the first", ordered(first.hear(4)), "bcde")
	same(x, "commands of the second", ordered(second.hear(5)), "abcde")
	first.silence()
	second.silence()
}

func commandWakes(x *exam) { wokenBy(x, x) }

func commandWakesElsewhere(x *exam) { wokenBy(x, x.peer()) }

func wokenBy(x, poster *exam) {
	e := x.listen()
	c := e.begin()
	c.blocks()
	poster.post(order("a"))
	same(x, "commands", ordered(c.answer()), "a")
}

// A worker that the store was away from hears what was said meanwhile.
func commandsMeanwhile(x *exam) {
	e := x.listen()
	x.post(order("a"), order("b"))
	x.Advance(10 * time.Second)
	same(x, "commands", ordered(e.hear(2)), "ab")
}

// "Keeps a command for c.For, from now by the store's clock."
func commandEnds(x *exam) {
	e, late := x.listen(), x.listen()
	longer := order("longer")
	longer.For = time.Minute
	x.post(order("shorter"), longer)
	x.Advance(30*time.Second - tick)
	same(x, "within their time", ordered(e.hear(2)), "shorterlonger")
	x.Advance(2 * tick)
	same(x, "when one is over", ordered(late.hear(1)), "longer")
	late = x.listen()
	x.post(order("last"))
	x.Advance(30*time.Second + tick)
	late.silence()
	x.post(order("next"))
	same(x, "after that", ordered(late.hear(1)), "next")
}

// "… for all connections and also if they end."
func commandStays(x *exam) {
	y := x.peer()
	e := y.listen()
	x.post(order("a"))
	if y != x {
		x.close()
	}
	same(x, "commands", ordered(e.hear(1)), "a")
}

// "It blocks until there is one or ctx ends", and what comes then is not lost with the call.
func awaitCommandsEnds(x *exam) {
	e := x.listen()
	place := e.after
	c := e.begin()
	c.blocks()
	c.cancel()
	if _, err := c.end(); !errors.Is(err, context.Canceled) {
		x.Errorf("await commands: got error %v, want %v", err, context.Canceled)
	}
	e.after = place
	x.post(order("a"))
	same(x, "commands", ordered(e.hear(1)), "a")
}

func commandRefused(x *exam) {
	e := x.listen()
	endless, long := order("a"), order("a")
	endless.For, long.For = 0, 25*time.Hour
	for _, c := range []stem.Command{order(""), endless, long, {ID: "a", For: time.Second}} {
		var option *stem.OptionError
		if err := x.tryPost(c); !errors.As(err, &option) {
			x.Errorf("%+v: got error %v, want an *OptionError", c, err)
		}
	}
	e.silence()
}

// With every field, and as much as workers say at most.
func replyAsGiven(x *exam) {
	full := stem.Reply{
		Command: "c", Worker: "0197a1b2-0000-7000-8000-000000000001", Name: "web-7", Err: rough, Count: 7, HeldCount: 2000,
		Stats: &stem.WorkerStats{
			Up: time.Hour, Slots: 1, InHand: 2, Running: 3, Succeeded: 4, Failed: 5, Cancelled: 6, Retried: 7, Snoozed: 8, Released: 1<<63 - 1,
			Paused: []string{queue}, Stopping: true, Goroutines: 10, CPUs: 11, HeapBytes: 12, SystemBytes: 1<<64 - 1, GCs: 14, Go: "go",
		},
		For: time.Minute,
	}
	for i := range 1000 {
		full.Held = append(full.Held, stem.HeldTask{ID: fmt.Sprintf("%0200d", i), Task: "exam.task", Queue: queue, Attempt: i, Since: time.Hour, For: time.Duration(i)})
	}
	full.Held[0].Progress = &stem.ProgressReport{Percent: 12.5, Message: rough}
	x.peer().reply(full)
	got := x.asking("c").hear(1)[0]
	full.For = 0
	same(x, "reply", got, full)
}

// "… what has been replied to a command, in the order in which it came, behind the place."
func repliesInOrder(x *exam) {
	x.reply(word("a", "1"), word("b", "2"), word("a", "3"))
	e := x.asking("a")
	same(x, "replies to a", given(e.hear(2)), "13")
	e.silence()
	x.peer().reply(word("a", "4"))
	same(x, "more replies to a", given(e.hear(1)), "4")
	same(x, "replies to a, from the beginning", given(x.asking("a").hear(3)), "134")
	same(x, "replies to b", given(x.peer().asking("b").hear(1)), "2")
}

func replyWakes(x *exam) {
	e := x.asking("a")
	c := e.begin()
	c.blocks()
	x.peer().reply(word("b", "0"))
	c.blocks()
	x.peer().reply(word("a", "1"))
	same(x, "replies", given(c.answer()), "1")
}

// "Keeps a reply for r.For, from now by the store's clock."
func replyEnds(x *exam) {
	x.reply(word("a", "1"))
	x.Advance(30*time.Second - tick)
	same(x, "within its time", given(x.asking("a").hear(1)), "1")
	x.Advance(2 * tick)
	x.asking("a").silence()
}

func repliesEnds(x *exam) {
	c := x.asking("a").begin()
	c.blocks()
	c.cancel()
	if _, err := c.end(); !errors.Is(err, context.Canceled) {
		x.Errorf("replies: got error %v, want %v", err, context.Canceled)
	}
}

func replyRefused(x *exam) {
	endless := word("a", "1")
	endless.For = 0
	for _, r := range []stem.Reply{word("", "1"), word("a", ""), endless} {
		var option *stem.OptionError
		if err := x.tryReply(r); !errors.As(err, &option) {
			x.Errorf("%+v: got error %v, want an *OptionError", r, err)
		}
	}
	x.asking("a").silence()
}

func closeEndsControl(x *exam) {
	commands, replies := x.listen().begin(), x.asking("a").begin()
	commands.blocks()
	replies.blocks()
	x.close()
	_, err := commands.end()
	x.closed("await commands", err)
	_, err = replies.end()
	x.closed("replies", err)
}

// "After Close of the adapter every method answers ErrClosed."
func controlIsClosed(x *exam) {
	x.close()
	x.closed("post command", x.tryPost(order("a")))
	x.closed("reply", x.tryReply(word("a", "1")))
	ctx, cancel := x.bounded()
	defer cancel()
	receiver, _ := stem.As[stem.CommandReceiver](x.Broker)
	poster, _ := stem.As[stem.CommandPoster](x.Broker)
	for _, after := range []string{"", "1"} {
		_, _, err := receiver.AwaitCommands(ctx, after)
		x.closed("await commands", err)
		_, _, err = poster.Replies(ctx, "a", after)
		x.closed("replies", err)
	}
}
