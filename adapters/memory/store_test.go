package memory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// lab is a store under examination, in a bubble.
type lab struct {
	*testing.T
	*memory.Store
}

// experiment runs a test in a bubble of its own, on a fresh store.
func experiment(t *testing.T, run func(l lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		run(lab{t, store})
		if err := store.Close(); err != nil {
			t.Errorf("close: got error %v, want none", err)
		}
	})
}

func (l lab) ctx() context.Context { return l.T.Context() }

func task(id string) stem.Envelope {
	return stem.Envelope{ID: id, Task: "test.task", Queue: "default"}
}

func (l lab) publish(envs ...stem.Envelope) {
	l.Helper()
	if _, err := l.Publish(l.ctx(), envs...); err != nil {
		l.Fatalf("publish: got error %v, want none", err)
	}
}

// session gives a session with a lease of a minute.
func session(id string) stem.Session { return stem.Session{ID: id, Lease: time.Minute} }

func request(s string, most int) stem.ReceiveRequest {
	return stem.ReceiveRequest{Session: session(s), Queues: []string{"default"}, Max: most}
}

// knowing gives the set of tasks by name, of whatever schema.
func knowing(names ...string) *stem.TaskSet {
	specs := make([]stem.TaskSpec, len(names))
	for i, name := range names {
		specs[i].Name = name
	}
	return stem.NewTaskSet(specs...)
}

// receive receives what is there, and does not wait.
func (l lab) receive(req stem.ReceiveRequest) []stem.Delivery {
	l.Helper()
	ctx, cancel := context.WithCancel(l.ctx())
	answer := l.receiving(ctx, req)
	cancel()
	return <-answer
}

// one receives the only envelope that is due.
func (l lab) one(s string) stem.Delivery {
	l.Helper()
	ds := l.receive(request(s, 2))
	if len(ds) != 1 {
		l.Fatalf("receive: got %d deliveries, want 1", len(ds))
	}
	return ds[0]
}

// receiving receives in the background, and returns when that waits or is done.
func (l lab) receiving(ctx context.Context, req stem.ReceiveRequest) <-chan []stem.Delivery {
	answer := make(chan []stem.Delivery, 1)
	go func() {
		ds, _ := l.Receive(ctx, req)
		answer <- ds
	}()
	synctest.Wait()
	return answer
}

func settlement(d stem.Delivery, v stem.Verdict) stem.Settlement {
	return stem.Settlement{Delivery: d, Verdict: v}
}

func (l lab) settle(v stem.Verdict, ds ...stem.Delivery) {
	l.Helper()
	for _, d := range ds {
		if err := l.Settle(l.ctx(), settlement(d, v)); err != nil {
			l.Fatalf("%s of %s: got error %v, want none", v, d.ID, err)
		}
	}
}

func (l lab) remembers(want map[string]int) {
	l.Helper()
	if got := l.Footprint(); !maps.Equal(got, want) {
		l.Errorf("what the store remembers: got %v, want %v", got, want)
	}
}

func ids(ds []stem.Delivery) string {
	var ids []string
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, " ")
}

func TestForeignReceiptsAreRefused(t *testing.T) {
	experiment(t, func(l lab) {
		other := new(memory.Store)
		if _, err := other.Publish(l.ctx(), task("a")); err != nil {
			t.Fatal(err)
		}
		foreign, err := other.Receive(l.ctx(), request("s", 1))
		if err != nil {
			t.Fatal(err)
		}
		l.publish(task("a"))
		own := l.one("s")
		forged := own
		forged.Session = "another"
		for name, d := range map[string]stem.Delivery{
			"none": {}, "of another type": {Receipt: 7}, "of another store": foreign[0], "of another session": forged,
		} {
			for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter} {
				err := l.Settle(l.ctx(), settlement(d, v))
				if !errors.Is(stem.ItemErr(err, 0), stem.ErrLeaseLost) {
					t.Errorf("settle with a receipt %s: got error %v, want %v", name, err, stem.ErrLeaseLost)
				}
			}
			notices, err := l.Extend(l.ctx(), session("s"), d)
			if err != nil || len(notices) != 1 || !errors.Is(notices[0].Cause, stem.ErrLeaseLost) {
				t.Errorf("extend with a receipt %s: got %v, %v, want one notice of a lost lease", name, notices, err)
			}
		}
		l.settle(stem.VerdictAck, own)
	})
}

func TestTheDeliveryThatSettledIsToldSo(t *testing.T) {
	for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease, stem.VerdictDeadLetter} {
		t.Run(v.String(), func(t *testing.T) {
			experiment(t, func(l lab) {
				l.publish(task("a"))
				d := l.one("s")
				l.settle(v, d)
				l.settle(v, d)
				if v == stem.VerdictRetry || v == stem.VerdictSnooze || v == stem.VerdictRelease {
					next := l.one("t")
					l.settle(v, d)
					l.settle(stem.VerdictAck, next)
				}
				if notices, err := l.Extend(l.ctx(), session("s"), d); err != nil || (v == stem.VerdictAck && notices != nil) {
					t.Errorf("extend: got notices %v and error %v, want none of what was settled", notices, err)
				}
			})
		})
	}
}

func TestWhatIsLeftToStartIsToldUntilNothingIs(t *testing.T) {
	experiment(t, func(l lab) {
		e := task("a")
		e.ExpiresIn = time.Minute
		l.publish(e, task("for ever"))
		for _, want := range []struct {
			left    time.Duration
			expired bool
		}{{time.Minute, false}, {time.Nanosecond, false}, {0, true}, {0, true}} {
			ds := l.receive(request("s", 2))
			if ds[0].StartWithin != want.left || ds[0].Expired != want.expired {
				t.Errorf("got %v left, expired %v, want %v, %v", ds[0].StartWithin, ds[0].Expired, want.left, want.expired)
			}
			if ds[1].StartWithin != 0 || ds[1].Expired {
				t.Errorf("without expiry: got %v left, expired %v, want 0, false", ds[1].StartWithin, ds[1].Expired)
			}
			l.settle(stem.VerdictRelease, ds...)
			time.Sleep(max(want.left-time.Nanosecond, time.Nanosecond))
		}
	})
}

func TestThoseThatComeBackAreInOrderWhateverWasTakenFromAmongThem(t *testing.T) {
	experiment(t, func(l lab) {
		envs := tasks("a", 500)
		l.publish(envs...)
		ds := l.receive(request("dead", 500))
		random := rand.New(rand.NewPCG(1, 2))
		settled := map[int]bool{}
		settle := func(n int) {
			for _, i := range random.Perm(len(ds)) {
				if n > 0 && !settled[i] {
					l.settle(stem.VerdictAck, ds[i])
					settled[i] = true
					n--
				}
			}
		}
		settle(150)
		time.Sleep(time.Hour)
		if got := l.receive(stem.ReceiveRequest{Session: session("s"), Queues: []string{"other"}, Max: 1}); len(got) > 0 {
			t.Fatalf("received from another queue: got %q, want nothing", ids(got))
		}
		settle(150)
		var want []string
		for i := range envs {
			if !settled[i] {
				want = append(want, envs[i].ID)
			}
		}
		if got := ids(l.receive(request("live", 500))); got != strings.Join(want, " ") {
			t.Errorf("received: got %q, want the others in order", got)
		}
	})
}

func TestAVerdictThatIsNoneIsRefused(t *testing.T) {
	experiment(t, func(l lab) {
		l.publish(task("a"))
		d := l.one("s")
		for _, v := range []stem.Verdict{0, stem.VerdictRelease + 1} {
			var option *stem.OptionError
			if err := l.Settle(l.ctx(), settlement(d, v)); !errors.As(err, &option) {
				t.Errorf("settle with verdict %d: got error %v, want an *OptionError", v, err)
			}
		}
		l.settle(stem.VerdictAck, d)
	})
}

func TestARequestForNothingIsRefused(t *testing.T) {
	experiment(t, func(l lab) {
		for name, req := range map[string]stem.ReceiveRequest{
			"no queues": {Session: session("s"), Max: 1},
			"no max":    {Session: session("s"), Queues: []string{"default"}},
			"no lease":  {Session: stem.Session{ID: "s"}, Queues: []string{"default"}, Max: 1},
		} {
			var option *stem.OptionError
			if _, err := l.Receive(l.ctx(), req); !errors.As(err, &option) {
				t.Errorf("receive with %s: got error %v, want an *OptionError", name, err)
			}
		}
		var option *stem.OptionError
		if _, err := l.Extend(l.ctx(), stem.Session{ID: "s"}); !errors.As(err, &option) {
			t.Errorf("extend without a lease: got error %v, want an *OptionError", err)
		}
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	experiment(t, func(l lab) {
		l.MaxDeadLetters = 3
		for i := range 10 {
			l.publish(task(fmt.Sprint(i)))
			l.settle(stem.VerdictDeadLetter, l.one("s"))
		}
		letters, err := l.DeadLetters(l.ctx(), "default", 100)
		if err != nil {
			t.Fatalf("dead letters: got error %v, want none", err)
		}
		var got []string
		for _, letter := range letters {
			got = append(got, letter.ID)
		}
		if want := []string{"9", "8", "7"}; !slices.Equal(got, want) {
			t.Errorf("dead letters: got %v, want %v", got, want)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab{t, new(memory.Store)}
		l.publish(task("a"))
		d := l.one("s")
		ended := make(chan error, 20)
		for i := range 10 {
			go func() {
				_, err := l.Receive(l.ctx(), request(fmt.Sprint(i), 1))
				ended <- err
			}()
			go func() {
				_, err := l.Await(l.ctx(), "a")
				ended <- err
			}()
		}
		synctest.Wait()
		for range 2 {
			if err := l.Close(); err != nil {
				t.Errorf("close: got error %v, want none", err)
			}
		}
		for range cap(ended) {
			if err := <-ended; !errors.Is(err, stem.ErrClosed) {
				t.Errorf("a call that was blocked: got error %v, want %v", err, stem.ErrClosed)
			}
		}
		l.remembers(map[string]int{})
		for name, call := range map[string]func() error{
			"publish":         func() error { _, err := l.Publish(l.ctx(), task("b")); return err },
			"receive":         func() error { _, err := l.Receive(l.ctx(), request("s", 1)); return err },
			"extend":          func() error { _, err := l.Extend(l.ctx(), session("s"), d); return err },
			"settle":          func() error { return l.Settle(l.ctx(), settlement(d, stem.VerdictAck)) },
			"save and settle": func() error { return l.SaveAndSettle(l.ctx(), settlement(d, stem.VerdictAck)) },
			"save":            func() error { return l.Save(l.ctx(), stem.Result{ID: "a"}) },
			"load":            func() error { _, err := l.Load(l.ctx(), "a"); return err },
			"await":           func() error { _, err := l.Await(l.ctx(), "a"); return err },
			"dead letters":    func() error { _, err := l.DeadLetters(l.ctx(), "default", 1); return err },
			"count":           func() error { _, err := l.CountQueue(l.ctx(), "default"); return err },
		} {
			if err := call(); !errors.Is(err, stem.ErrClosed) {
				t.Errorf("%s after close: got error %v, want %v", name, err, stem.ErrClosed)
			}
		}
	})
}

func TestNothingIsDoneForAContextThatHasEnded(t *testing.T) {
	experiment(t, func(l lab) {
		ctx, cancel := context.WithCancel(l.ctx())
		cancel()
		_, err := l.Publish(ctx, task("a"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("publish: got error %v, want %v", err, context.Canceled)
		}
		l.publish(task("b"))
		if _, err := l.Receive(ctx, request("s", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("receive: got error %v, want %v", err, context.Canceled)
		}
		if got := l.one("s").ID; got != "b" {
			t.Errorf("received: got %s, want b", got)
		}
	})
}
