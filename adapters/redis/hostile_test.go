package redis_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// What somebody puts into the keys of a queue by hand harms nothing but itself: the tasks around it run, and what is no
// envelope is lent as malformed and can be buried.
func TestHostileEntriesHarmOnlyThemselves(t *testing.T) {
	good := plainTask("good")
	const name = "plain.task -"
	envelope := name + "\n" + string(stem.AppendEnvelope(nil, &good))
	long := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		what     string
		commands [][]any
	}{
		{"an entry without fields", [][]any{{"xadd", "~0", "*", "a", "b"}}},
		{"garbage", [][]any{{"xadd", "~0", "*", "e", "a -\n\xff\x00garbage"}}},
		{"garbage at a priority that is not in use", [][]any{{"xadd", "~7", "*", "e", "a -\ngarbage"}}},
		{"garbage for a time of birth", [][]any{{"xadd", "~0", "*", "e", envelope, "b", "garbage"}}},
		{"times with gaps", [][]any{{"xadd", "~0", "*", "e", envelope, "b", "12 34", "d", "5 6"}}},
		{"times that are no numbers", [][]any{{"xadd", "~0", "*", "e", envelope, "b", "-7", "d", "nan"}}},
		{"the year 9999", [][]any{{"xadd", "~0", "253402300799000-0", "e", envelope, "b", "253402300799000", "d", "253402300799000"}}},
		{"an id beyond 2^63", [][]any{{"xadd", "~0", "9223372036854775808-1", "e", envelope}}},
		{"the first id", [][]any{{"xadd", "~0", "0-1", "e", envelope}}},
		{"a visibility that is no number", [][]any{{"xadd", "~0", "*", "e", envelope, "v", "nan"}}},
		{"a visibility that is a word", [][]any{{"xadd", "~0", "*", "e", envelope, "v", "x"}}},
		{"a state that is none", [][]any{{"xadd", "~0", "*", "e", envelope, "s", "\x94\xff"}}},
		{"as many failures as there are numbers", [][]any{{"xadd", "~0", "*", "e", envelope, "s", "\x94\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x80"}}},
		{"a name of 1 MB", [][]any{{"xadd", "~0", "*", "e", long + " -\n" + envelope}}},
		{"a name of lines", [][]any{{"xadd", "~0", "*", "e", "plain.task -\n9" + envelope}}},
		{"a name of control codes", [][]any{{"xadd", "~0", "*", "e", "\x1b[2J\x00 -\n" + envelope}}},
		{"garbage that is delayed", [][]any{{"zadd", "~delayed", 1, "garbage"}}},
		{"something delayed since ever", [][]any{{"zadd", "~delayed", "-inf", "0 u 5  99 -3 a -"}}},
		{"something delayed whose lengths lie", [][]any{{"zadd", "~delayed", 1, "0 u 5  99999999999999999999 999999 a -"}}},
		{"garbage in line again", [][]any{{"zadd", "~back", 0, "9garbage"}, {"hset", "~state", "back", 1}}},
		{"an id beyond 2^64 in line again", [][]any{{"zadd", "~back", 0, "999999999999999999999a7"}, {"hset", "~state", "back", 1}}},
		{"nothing in line again", [][]any{{"zadd", "~back", 0, "91700000000000a7"}, {"hset", "~state", "back", 1}}},
		{"garbage that is held", [][]any{{"zadd", "~held", 1, "garbage"}}},
		{"garbage that rests", [][]any{{"zadd", "~rest", 1, "9\x00"}}},
		{"garbage that is set aside", [][]any{
			{"zadd", "~aside", 0, name + "\ngarbage"}, {"hset", "~schemas", name, "many"}, {"hset", "~state", "aside", 1},
		}},
		{"a session that is none", [][]any{{"zadd", "~lapses", 1, "garbage"}, {"hset", "~state", "S:garbage", "garbage"}}},
		{"a token without a word", [][]any{{"xadd", "~wake", "*", "a", "b"}}},
		{"revocations that are none", [][]any{{"hset", "~revoked", "i:good", "garbage", "i:other", ""}, {"hset", "~state", "revoked", "99999999999999"}}},
		{"words for numbers", [][]any{{"hset", "~state", "next", "x", "watch", "x", "revoked", "x", "number", "x", "missed", "x"}}},
		{"a number beyond 2^53", [][]any{{"hset", "~state", "number", "1e300"}}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			b := newTable(t, "")
			b.receive("first", 1, 10*time.Millisecond) // makes the groups
			for _, command := range tt.commands {
				b.do(command...)
			}
			b.lookAround()
			b.publish(plainTask("good"))
			b.expectGood("first", false) // and lets them lapse
			b.clock.Advance(2 * time.Minute)
			b.lookAround()
			b.expectGood("second", true)
			counts, err := b.CountQueue(t.Context(), tableQueue)
			if err != nil || counts.Ready+counts.Running+counts.Delayed > 0 {
				t.Errorf("got %+v, %v, want nothing left but what is set aside and what is dead", counts, err)
			}
			if _, err := b.DeadLetters(t.Context(), tableQueue, 10); err != nil {
				t.Error(err)
			}
			err = b.Revoke(t.Context(), stem.Revocation{Queue: tableQueue, ID: "good", For: time.Minute})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// lookAround lists all that an operator can, whatever it is.
func (b *table) lookAround() {
	b.t.Helper()
	for _, state := range ops.States {
		for _, t := range b.walk(ops.TaskQuery{State: state, Limit: 3}) {
			if t.ID == "" || len(t.Place) > 200 || t.Malformed == nil && t.Task != "plain.task" {
				b.t.Errorf("got %+v as %s, want what it is or that it is malformed", t, state)
			}
		}
	}
	if _, err := b.ListDeadLetters(b.t.Context(), ops.DeadLetterQuery{Queue: tableQueue, Limit: 3}); err != nil {
		b.t.Error(err)
	}
	if _, err := b.GaugeQueue(b.t.Context(), tableQueue); err != nil {
		b.t.Error(err)
	}
}

// expectGood receives for a worker that knows the good task, until nothing more comes, and may bury what it gets.
func (b *table) expectGood(session string, bury bool) {
	b.t.Helper()
	known := stem.NewTaskSet(stem.TaskSpec{Name: "plain.task"})
	found := 0
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		ds, err := b.Receive(ctx, stem.ReceiveRequest{Session: sessionOf(session), Queues: []string{tableQueue}, Tasks: known, Max: 10})
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			b.t.Fatal(err)
		}
		for _, d := range ds {
			if d.ID == "good" && d.Task == "plain.task" {
				found++
			} else if d.Malformed == nil {
				b.t.Errorf("got %+v, want the good task or a malformed one", d.Envelope)
			}
			if d.Attempt < 1 || d.Age < 0 || d.Waited < 0 || d.Number >= 1<<53 {
				b.t.Errorf("got attempt %d, age %v, waited %v, number %d", d.Attempt, d.Age, d.Waited, d.Number)
			}
			if bury {
				if err := b.Settle(context.Background(), stem.Settlement{Delivery: d, Verdict: stem.VerdictDeadLetter}); err != nil {
					b.t.Error(err)
				}
			}
		}
	}
	if found == 0 {
		b.t.Errorf("session %s was not lent the good task", session)
	}
}

// A key that somebody has taken for something else fails what needs it, and what could not be stored is no duplicate of itself.
func TestWhatCouldNotBeStoredIsNoDuplicate(t *testing.T) {
	b := newTable(t, "")
	b.do("set", "~0", "something else")
	e := plainTask("a", func(e *stem.Envelope) { e.DedupeKey, e.DedupeWindow = "key", time.Minute })
	if got, err := b.Publish(t.Context(), e); err == nil {
		t.Fatalf("got %v, want an error", got)
	}
	b.do("del", "~0")
	got, err := b.Publish(t.Context(), e)
	if err != nil || got[0].Duplicate {
		t.Errorf("got %v, %v, want it stored", got, err)
	}
	if got, err = b.Publish(t.Context(), e); err != nil || !got[0].Duplicate {
		t.Errorf("got %v, %v, want a duplicate", got, err)
	}
}

// The server's clock may be set back, leases may be as short and as long as a duration, and names of any signs.
func TestExtremes(t *testing.T) {
	for _, lease := range []time.Duration{1, time.Millisecond, time.Hour, math.MaxInt64} {
		for _, queue := range []string{"q", "{q}", "}%7D{", strings.Repeat("long{}", 33)} {
			b := newTable(t, "")
			e := stem.Envelope{ID: "a", Task: "t", Queue: queue, Visibility: lease, ExpiresIn: math.MaxInt64, DedupeKey: "k", DedupeWindow: math.MaxInt64}
			b.publish(e)
			last := int64(0)
			for _, step := range []time.Duration{0, -time.Hour, -time.Hour, 10 * time.Minute} {
				b.clock.Advance(step)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				ds, err := b.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: lease}, Queues: []string{queue}, Max: math.MaxInt32})
				cancel()
				if err != nil || len(ds) != 1 || ds[0].Malformed != nil {
					t.Fatalf("lease %v, queue %.20s, clock %v: got %v, %v", lease, queue, step, ds, err)
				}
				if ds[0].Number <= last || ds[0].Number >= 1<<53 {
					t.Errorf("got number %d after %d", ds[0].Number, last)
				}
				last = ds[0].Number
				if _, err := b.Extend(t.Context(), stem.Session{ID: "s", Lease: lease}, ds...); err != nil {
					t.Error(err)
				}
				if err := b.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictRelease}); err != nil {
					t.Errorf("lease %v: %v", lease, err)
				}
			}
		}
	}
}

func TestADeadLetterHasAllThatStoodInTheStore(t *testing.T) {
	b := newTable(t, "")
	const garbage = "lines\nof garbage\n"
	b.do("xadd", "~0", "*", "e", garbage)
	for _, d := range b.receiveAll("a", 1) {
		if err := b.Settle(t.Context(), stem.Settlement{Delivery: d, Verdict: stem.VerdictDeadLetter}); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := b.DeadLetters(t.Context(), tableQueue, 1)
	if err != nil || len(letters) != 1 || string(letters[0].Envelope) != garbage {
		t.Errorf("got %v, %v, want the bytes %q", letters, err, garbage)
	}
}

// A result that cannot be written keeps its delivery from being settled: the task runs again, and its result is not lost.
func TestWhatHasNoRoomForItsResultIsNotSettled(t *testing.T) {
	b := newTable(t, "")
	for _, verdict := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter} {
		id := "spoiled-" + verdict.String()
		b.publish(plainTask(id))
		d := b.receive("a", 1, 10*time.Second)[0]
		b.do("set", b.cfg.Namespace+":results:-"+id, "somebody's")
		r := stem.Result{ID: id, Task: d.Task, Queue: d.Queue, State: stem.StateSucceeded, Delivery: d.Number, Keep: time.Hour}
		s := stem.Settlement{Delivery: d, Verdict: verdict, Result: &r}
		if err := b.SaveAndSettle(t.Context(), s); err == nil {
			t.Fatalf("%s with a result that cannot be written: got no error, want one", verdict)
		}
		b.do("del", b.cfg.Namespace+":results:-"+id)
		if err := b.SaveAndSettle(t.Context(), s); err != nil {
			t.Errorf("%s once there is room: got %v, want nil: it was settled without its result", verdict, err)
		}
	}
}
