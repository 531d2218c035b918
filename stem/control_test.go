package stem_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// order gives a command to worker w that is kept for a minute.
func order(verb string) stem.Command {
	return stem.Command{ID: verb, Verb: verb, Workers: []string{"w"}, For: time.Minute, Actor: "ann", Reason: "test"}
}

func (r *rig) post(c stem.Command) {
	r.t.Helper()
	synctest.Wait() // who listens does by now
	if err := r.store.PostCommand(r.t.Context(), c); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// replies gives what has been replied to a command by now.
func (r *rig) replies(command string) []stem.Reply {
	r.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Nanosecond)
	defer cancel()
	rs, _, err := r.store.Replies(ctx, command, "")
	if err != nil && ctx.Err() == nil {
		r.t.Fatal(err)
	}
	return rs
}

// say posts a command and gives the one reply to it.
func (r *rig) say(c stem.Command) stem.Reply {
	r.t.Helper()
	r.post(c)
	rs := r.replies(c.ID)
	if len(rs) != 1 {
		r.t.Fatalf("%s: got %d replies, want 1", c.Verb, len(rs))
	}
	if rs[0].Name != "w" || rs[0].Command != c.ID || rs[0].Worker == "" {
		r.t.Fatalf("%s: got a reply of %q (%s) to %q, want one of w", c.Verb, rs[0].Name, rs[0].Worker, rs[0].Command)
	}
	return rs[0]
}

// block is a handler that waits for the end of its context.
func block(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", context.Cause(ctx)
}

func TestAWorkerRepliesToAPingAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "w"})
		if reply := r.say(order(stem.CommandPing)); reply.Err != "" || reply.Worker != r.workers()[0].ID {
			t.Errorf("got %+v, want a reply without an error by the id that the worker announces", reply)
		}
	})
}

func TestOnlyThoseObeyThatAreMeant(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "a"})
		r.work(stem.WorkerConfig{Name: "b"})
		r.work(stem.WorkerConfig{Name: "b"})
		infos := r.workers()
		for i, tt := range []struct {
			workers []string
			want    string
		}{
			{nil, "a b b"}, {[]string{"a"}, "a"}, {[]string{"b"}, "b b"}, {[]string{infos[1].ID}, "b"}, {[]string{"c"}, ""}, {[]string{"c", "a", "b"}, "a b b"},
		} {
			c := order(stem.CommandPing)
			c.ID, c.Workers = fmt.Sprint(i), tt.workers
			r.post(c)
			var got []string
			for _, reply := range r.replies(c.ID) {
				got = append(got, reply.Name)
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("to %v: got replies of %v, want %q", tt.workers, got, tt.want)
			}
		}
	})
}

// The answer to a post can be lost, and the command be posted again.
func TestACommandIsObeyedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.post(order(stem.CommandShutdown)) // before it has begun
		r.work(stem.WorkerConfig{Name: "w"})
		for range 3 {
			r.post(order(stem.CommandPing))
		}
		if got := len(r.replies(stem.CommandPing)); got != 1 {
			t.Errorf("got %d replies to a command that was posted three times, want 1", got)
		}
		if got := len(r.replies(stem.CommandShutdown)); got != 0 {
			t.Errorf("got %d replies to a command of before, want none", got)
		}
	})
}

func TestAWorkerTellsItsNumbers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello, blocks := r.task("hello", greet), r.task("block", block)
		fails := r.task("fail", func(context.Context, string) (string, error) { return "", stem.Permanent(errors.New("no")) })
		again := r.task("again", func(ctx context.Context, _ string) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt == 1 {
				return "", errors.New("not yet")
			}
			return "", nil
		})
		snoozes := r.task("snooze", func(ctx context.Context, _ string) (string, error) {
			if info, _ := stem.Info(ctx); info.Snoozes == 0 {
				return "", stem.Snooze(time.Second)
			}
			return "", nil
		})
		r.work(stem.WorkerConfig{Name: "w", Slots: 3, Queues: []string{"default", "bulk"}})
		r.enqueue(blocks, "")
		for range 3 {
			r.enqueue(hello, "", stem.OnQueue("bulk"))
		}
		r.enqueue(fails, "")
		r.enqueue(again, "")
		r.enqueue(snoozes, "")
		time.Sleep(time.Minute)
		s := r.say(order(stem.CommandStats)).Stats
		if s == nil {
			t.Fatal("got no numbers, want some")
		}
		if got := fmt.Sprint(s.Succeeded, s.Failed, s.Cancelled, s.Retried, s.Snoozed, s.Released); got != "5 1 0 1 1 0" {
			t.Errorf("got %s succeeded, failed, cancelled, retried, snoozed and released, want 5 1 0 1 1 0", got)
		}
		if s.Slots != 3 || s.InHand != 1 || s.Running != 1 || s.Up != time.Minute || s.Stopping {
			t.Errorf("got %+v, want one of three slots running for a minute", s)
		}
		if s.Goroutines < 3 || s.CPUs < 1 || s.HeapBytes < 1000 || s.SystemBytes < s.HeapBytes || !strings.HasPrefix(s.Go, "go") {
			t.Errorf("got %+v, want what the runtime says", s)
		}
	})
}

func TestAWorkerTellsWhatItHasInHand(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		task := r.task("report", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 40, strings.Repeat("x", 300), map[string]string{"key": "value"})
			return block(ctx, "")
		})
		r.work(stem.WorkerConfig{Name: "w", Slots: 2})
		r.enqueue(task, "", stem.WithID("first"))
		time.Sleep(time.Second)
		r.enqueue(task, "", stem.WithID("second"))
		r.enqueue(task, "", stem.WithID("waits"))
		time.Sleep(time.Second)
		reply := r.say(order(stem.CommandInspect))
		var got []string
		for _, h := range reply.Held {
			got = append(got, fmt.Sprint(h.ID, " ", h.Task, " ", h.Queue, " ", h.Attempt, " ", h.Since, " ", h.For))
		}
		want := []string{"first report default 1 2s 2s", "second report default 1 1s 1s", "waits report default 1 1s 0s"}
		if !slices.Equal(got, want) || reply.HeldCount != 3 {
			t.Fatalf("got %d: %q, want 3: %q", reply.HeldCount, got, want)
		}
		p := reply.Held[0].Progress
		if p == nil || p.Percent != 40 || p.Data != nil || len(p.Message) > 250 || !strings.HasPrefix(p.Message, "xxx") {
			t.Errorf("got progress %+v, want 40 %% and the beginning of the message", p)
		}
		if p := reply.Held[2].Progress; p != nil {
			t.Errorf("got progress %+v of what does not run, want none", p)
		}
	})
}

func TestARevokeCancelsWhatAWorkerHasInHand(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		blocks := r.task("block", block, stem.MaxRetries(0))
		r.work(stem.WorkerConfig{Name: "w", Slots: 1, Queues: []string{"default", "bulk"}})
		runs, waits := r.enqueue(blocks, "", stem.WithID("runs")), r.enqueue(blocks, "", stem.WithID("waits"))
		synctest.Wait()
		c := order(stem.CommandRevoke)
		c.IDs, c.Queues = []string{"runs", "waits", "nothing"}, []string{"bulk"}
		if reply := r.say(c); reply.Count != 0 || reply.Err != "" {
			t.Errorf("on another queue: got %+v, want none cancelled", reply)
		}
		c.ID, c.Queues = "again", nil
		begin := time.Now()
		if reply := r.say(c); reply.Count != 2 || reply.Err != "" {
			t.Errorf("got %+v, want two cancelled", reply)
		}
		for _, job := range []stem.Job[string]{runs, waits} {
			if _, err := r.wait(job); !errors.Is(err, stem.ErrCancelled) || !strings.Contains(err.Error(), "test") || time.Since(begin) > 0 {
				t.Errorf("got %v after %v, want it cancelled at once, with the reason", err, time.Since(begin))
			}
		}
	})
}

func TestARevokeReachesDescendants(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		child := r.task("child", block)
		parent := r.task("parent", func(ctx context.Context, _ string) (string, error) {
			_, err := child.Enqueue(ctx, "", stem.WithID("child"))
			return "", err
		})
		r.work(stem.WorkerConfig{Name: "w", Slots: 2})
		r.enqueue(parent, "", stem.WithID("parent"))
		synctest.Wait()
		c := order(stem.CommandRevoke)
		c.IDs = []string{"parent"}
		if reply := r.say(c); reply.Count != 0 {
			t.Errorf("got %d cancelled, want none: the parent has ended", reply.Count)
		}
		c.ID, c.Family = "family", true
		if reply := r.say(c); reply.Count != 1 {
			t.Errorf("with the family: got %d cancelled, want the child", reply.Count)
		}
	})
}

func TestAPausedWorkerReceivesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "w", Queues: []string{"default", "bulk"}})
		pause, resume := order(stem.CommandPause), order(stem.CommandResume)
		pause.Queues = []string{"default", "elsewhere"}
		if reply := r.say(pause); reply.Count != 1 || reply.Err != "" {
			t.Errorf("got %+v, want one queue meant", reply)
		}
		r.enqueue(hello, "")
		rested, other := r.enqueue(hello, "rested"), r.enqueue(hello, "other", stem.OnQueue("bulk"))
		if _, err := r.wait(other); err != nil {
			t.Errorf("on the other queue: got %v, want a result", err)
		}
		time.Sleep(time.Minute)
		if got := r.count("default"); got.Ready != 2 {
			t.Errorf("got %d ready, want both", got.Ready)
		}
		if got := r.workers()[0].Paused; !slices.Equal(got, []string{"default"}) {
			t.Errorf("got paused %v, want default", got)
		}
		begin := time.Now()
		if reply := r.say(resume); reply.Count != 2 {
			t.Errorf("got %+v, want two queues meant", reply)
		}
		if _, err := r.wait(rested); err != nil || time.Since(begin) > 0 {
			t.Errorf("resumed: got %v after %v, want a result at once", err, time.Since(begin))
		}
	})
}

// The lease is kept meanwhile, and nothing asks the store again and again.
func TestAWorkerCanRestAltogether(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello, blocks := r.task("hello", greet), r.task("block", block)
		stop := r.work(stem.WorkerConfig{Name: "w", Queues: []string{"default", "bulk"}, StopAfterIdle: 10 * time.Second})
		held := r.enqueue(blocks, "")
		synctest.Wait()
		r.say(order(stem.CommandPause))
		job := r.enqueue(hello, "")
		time.Sleep(time.Hour)
		if got := r.count("default"); got.Ready != 1 || got.Running != 1 {
			t.Errorf("got %+v, want one ready and one still running", got)
		}
		if s := r.say(order(stem.CommandStats)).Stats; !slices.Equal(s.Paused, []string{"bulk", "default"}) {
			t.Errorf("got paused %v, want both", s.Paused)
		}
		r.say(order(stem.CommandResume))
		if _, err := r.wait(job); err != nil {
			t.Errorf("resumed: got %v, want a result", err)
		}
		if err := held.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		pause := order(stem.CommandPause)
		pause.ID = "again"
		r.say(pause)
		if err := stop(); err != nil {
			t.Errorf("stopped while it rests: got %v, want none", err)
		}
	})
}

func TestAWorkerStopsAsItIsTold(t *testing.T) {
	for _, tt := range []struct {
		mode    stem.StopMode
		cancels time.Duration
	}{{0, 4 * 6 * time.Second}, {stem.StopWarm, 4 * 6 * time.Second}, {stem.StopSoft, 0}, {stem.StopHard, 30 * time.Second}} {
		t.Run(fmt.Sprint(tt.mode), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				blocks := r.task("block", block)
				hangs := r.task("hang", func(context.Context, string) (string, error) { time.Sleep(30 * time.Second); return "", nil })
				_, done := r.start(stem.WorkerConfig{Name: "w", Slots: 2})
				r.enqueue(blocks, "")
				if tt.mode == stem.StopHard {
					r.enqueue(hangs, "")
				}
				synctest.Wait()
				begin := time.Now()
				c := order(stem.CommandShutdown)
				c.Mode = tt.mode
				if reply := r.say(c); reply.Err != "" {
					t.Errorf("got %+v, want it obeyed", reply)
				}
				err := <-done
				took := time.Since(begin)
				if tt.mode == stem.StopHard {
					if err == nil || took > time.Second {
						t.Errorf("got %v after %v, want it to leave the handler behind within a second", err, took)
					}
					time.Sleep(time.Minute)
					return
				}
				if err != nil || took != tt.cancels {
					t.Errorf("got %v after %v, want none after %v", err, took, tt.cancels)
				}
			})
		})
	}
}

func TestAWorkerObeysWhileItStops(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		blocks := r.task("block", block)
		_, done := r.start(stem.WorkerConfig{Name: "w"})
		r.enqueue(blocks, "")
		r.say(order(stem.CommandShutdown))
		if s := r.say(order(stem.CommandStats)).Stats; !s.Stopping || s.Running != 1 {
			t.Errorf("got %+v, want it to stop and wait", s)
		}
		for _, verb := range []string{stem.CommandPause, stem.CommandResume, stem.CommandConcurrency} {
			if reply := r.say(order(verb)); reply.Err != "the worker is stopping" {
				t.Errorf("%s: got %q, want that it is stopping", verb, reply.Err)
			}
		}
		harder := order(stem.CommandShutdown)
		harder.ID, harder.Mode = "harder", stem.StopSoft
		begin := time.Now()
		r.say(harder)
		if err := <-done; err != nil || time.Since(begin) > 0 {
			t.Errorf("got %v after %v, want it stopped at once", err, time.Since(begin))
		}
	})
}

func TestSlotsAreSetByCommand(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		w, _ := r.start(stem.WorkerConfig{Name: "w", Slots: 2})
		c := order(stem.CommandConcurrency)
		c.Slots = 7
		if reply := r.say(c); reply.Err != "" || w.Slots() != 7 {
			t.Errorf("got %+v and %d slots, want 7", reply, w.Slots())
		}
		c.ID, c.Slots = "none", 0
		if reply := r.say(c); !strings.Contains(reply.Err, "1 to 100,000") || w.Slots() != 7 {
			t.Errorf("got %+v and %d slots, want an error that names the bounds, and 7", reply, w.Slots())
		}
		w.Stop(stem.StopHard)
	})
}

func TestWhatAWorkerDoesNotKnowItSays(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "w"})
		if reply := r.say(order("dance")); !strings.Contains(reply.Err, `"dance"`) {
			t.Errorf("got %+v, want an error that names the verb", reply)
		}
	})
}

func TestACommandCanBeRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		var asked []string
		w, _ := r.start(stem.WorkerConfig{Name: "w", AcceptCommand: func(ctx context.Context, c *stem.Command) error {
			asked = append(asked, c.Verb)
			switch {
			case c.Verb == stem.CommandStats:
				panic("ouch")
			case string(c.Signature) != "signed":
				return errors.New("not signed")
			}
			return nil
		}})
		if reply := r.say(order(stem.CommandShutdown)); reply.Err != "refused: not signed" {
			t.Errorf("got %q, want it refused", reply.Err)
		}
		if reply := r.say(order(stem.CommandStats)); !strings.Contains(reply.Err, "refused: AcceptCommand panicked: ouch") || reply.Stats != nil {
			t.Errorf("got %+v, want it refused for the panic", reply)
		}
		c := order(stem.CommandPing)
		c.Signature = []byte("signed")
		if reply := r.say(c); reply.Err != "" {
			t.Errorf("signed: got %q, want it obeyed", reply.Err)
		}
		other := order(stem.CommandPing)
		other.ID, other.Workers = "other", []string{"x"}
		r.post(other)
		if !slices.Equal(asked, []string{"shutdown", "stats", "ping"}) {
			t.Errorf("asked about %v, want what is meant for w alone", asked)
		}
		w.Stop(stem.StopWarm)
	})
}

// unheard is a store whose control plane fails when the test says so.
type unheard struct {
	*memory.Store
	awaits, replies  atomic.Int64
	deaf, dumb, idle atomic.Bool // it answers no await; takes no reply; answers awaits with nothing
	strange          chan stem.Command
}

func (m *unheard) AwaitCommands(ctx context.Context, after string) ([]stem.Command, string, error) {
	m.awaits.Add(1)
	switch {
	case m.deaf.Load():
		return nil, "", errAway
	case m.idle.Load():
		return nil, after, nil
	}
	select {
	case c := <-m.strange:
		return []stem.Command{c}, after, nil
	default:
		return m.Store.AwaitCommands(ctx, after)
	}
}

func (m *unheard) Reply(ctx context.Context, r stem.Reply) error {
	m.replies.Add(1)
	if m.dumb.Load() {
		return errAway
	}
	return m.Store.Reply(ctx, r)
}

func withUnheard(t *testing.T, story func(t *testing.T, r *rig, m *unheard)) {
	synctest.Test(t, func(t *testing.T) {
		m := &unheard{strange: make(chan stem.Command, 1)}
		r := newRig(t, func(s *memory.Store) stem.Broker { m.Store = s; return m }, stem.ClientConfig{})
		story(t, r, m)
	})
}

// Commands are for people: where they fail, tasks run as if there were none.
func TestAFailingControlPlaneHurtsNoWork(t *testing.T) {
	for name, fail := range map[string]func(m *unheard) *atomic.Bool{
		"it fails":          func(m *unheard) *atomic.Bool { return &m.deaf },
		"it does not block": func(m *unheard) *atomic.Bool { return &m.idle },
	} {
		t.Run(name, func(t *testing.T) {
			withUnheard(t, func(t *testing.T, r *rig, m *unheard) {
				hello := r.task("hello", greet)
				stop := r.work(stem.WorkerConfig{Name: "w"})
				synctest.Wait()
				fail(m).Store(true)
				r.post(order("wake"))
				time.Sleep(time.Hour)
				begin := time.Now()
				if _, err := r.wait(r.enqueue(hello, "")); err != nil || time.Since(begin) > 0 {
					t.Errorf("got %v after %v, want a result at once", err, time.Since(begin))
				}
				if tries := m.awaits.Load(); tries < 3600/5 || tries > 2*3600/5+20 {
					t.Errorf("got %d awaits tried in an hour, want one every 2.5 to 5 s", tries)
				}
				c := order(stem.CommandPing)
				r.post(c)
				fail(m).Store(false)
				time.Sleep(5 * time.Second)
				if got := len(r.replies(c.ID)); got != 1 {
					t.Errorf("got %d replies when it was back, want 1: what was said meanwhile is heard", got)
				}
				failed, recovered := eventsOf[stem.StoreFailed](r), eventsOf[stem.StoreRecovered](r)
				if len(failed) == 0 || failed[0].Operation != "commands" || len(recovered) != 1 || recovered[0].Operation != "commands" {
					t.Errorf("got %d failures and recoveries %v, want some and one of the commands", len(failed), recovered)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAReplyIsTriedAgain(t *testing.T) {
	withUnheard(t, func(t *testing.T, r *rig, m *unheard) {
		r.task("hello", greet)
		_, done := r.start(stem.WorkerConfig{Name: "w"})
		m.dumb.Store(true)
		r.post(order(stem.CommandPing))
		time.Sleep(time.Second)
		m.dumb.Store(false)
		time.Sleep(2 * time.Second)
		if got := len(r.replies(stem.CommandPing)); got != 1 || m.replies.Load() < 3 {
			t.Errorf("got %d replies after %d tries, want 1 after some", got, m.replies.Load())
		}
		m.dumb.Store(true)
		begin := time.Now()
		r.post(order(stem.CommandShutdown))
		if err := <-done; err != nil || time.Since(begin) > time.Second {
			t.Errorf("a stop that nobody can be told of: got %v after %v, want it within a second", err, time.Since(begin))
		}
	})
}

func TestAStrangeCommandIsPassedOver(t *testing.T) {
	withUnheard(t, func(t *testing.T, r *rig, m *unheard) {
		r.task("hello", greet)
		m.strange <- stem.Command{Malformed: errors.New("no command")}
		r.work(stem.WorkerConfig{Name: "w"})
		if reply := r.say(order(stem.CommandPing)); reply.Err != "" || m.replies.Load() != 1 {
			t.Errorf("got %+v and %d replies, want the one to the ping", reply, m.replies.Load())
		}
	})
}

func TestAWorkerTellsHowManyTasksEndPerSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		fails := r.task("fail", func(context.Context, string) (string, error) { return "", errors.New("no") }, stem.MaxRetries(1))
		r.work(stem.WorkerConfig{Queues: []string{"default", "bulk"}, HeartbeatInterval: 10 * time.Second})
		if got := r.workers()[0].Rates; got != nil {
			t.Errorf("at first: got rates %v, want none", got)
		}
		for first := r.workers()[0].Seen; r.workers()[0].Seen.Equal(first); {
			time.Sleep(100 * time.Millisecond)
		}
		for range 30 {
			r.enqueue(hello, "", stem.OnQueue("bulk"))
		}
		r.enqueue(fails, "")
		time.Sleep(10 * time.Second)
		if got := r.workers()[0].Rates; len(got) != 2 || got[0] != 0.1 || got[1] != 3 {
			t.Errorf("got rates %v, want 0.1 and 3 per second", got)
		}
		time.Sleep(10 * time.Second)
		if got := r.workers()[0].Rates; got != nil {
			t.Errorf("after that: got rates %v, want none", got)
		}
	})
}

// Commands come while tasks run, and nothing of the worker is read unguarded.
func TestCommandsComeWhileTasksRun(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", func(ctx context.Context, s string) (string, error) {
			stem.Progress(ctx, 1, "on my way", nil)
			time.Sleep(time.Millisecond)
			return greet(ctx, s)
		})
		r.work(stem.WorkerConfig{Name: "w", Slots: 4})
		synctest.Wait()
		var jobs []stem.Job[string]
		for range 500 {
			jobs = append(jobs, r.enqueue(hello, "Stem"))
		}
		var posting sync.WaitGroup
		posting.Go(func() {
			for i := range 100 {
				for _, verb := range []string{stem.CommandStats, stem.CommandInspect, stem.CommandPause, stem.CommandResume} {
					c := order(verb)
					c.ID = fmt.Sprint(verb, i)
					if err := r.store.PostCommand(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
		for _, job := range jobs {
			if _, err := r.wait(job); err != nil {
				t.Fatal(err)
			}
		}
		posting.Wait()
	})
}
