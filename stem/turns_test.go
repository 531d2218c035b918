package stem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// limits gives those of the rig's store.
func (r *rig) limits(cfg limit.Config) *limit.Limits {
	r.t.Helper()
	if cfg.WhenStoreFails == 0 {
		cfg.WhenStoreFails = limit.FailClosed
	}
	limits, err := limit.New(r.store, cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return limits
}

// timetable is when the runs of tasks began, since it was made.
type timetable struct {
	mu    sync.Mutex
	since time.Time
	began map[string][]time.Duration
}

func newTimetable() *timetable {
	return &timetable{since: time.Now(), began: make(map[string][]time.Duration)}
}

func (d *timetable) note(task string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.began[task] = append(d.began[task], time.Since(d.since))
}

// of gives when runs of a task began, to the millisecond.
func (d *timetable) of(task string) []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	times := slices.Clone(d.began[task])
	for i := range times {
		times[i] = times[i].Round(time.Millisecond)
	}
	slices.Sort(times)
	return times
}

// noting is a handler that notes its args and is done.
func (d *timetable) noting(_ context.Context, args string) (string, error) {
	d.note(args)
	return args, nil
}

func seconds(from, to int) (times []time.Duration) {
	for s := from; s <= to; s++ {
		times = append(times, time.Duration(s)*time.Second)
	}
	return times
}

func (d *timetable) expect(t *testing.T, task string, want []time.Duration) {
	t.Helper()
	if got := d.of(task); !slices.Equal(got, want) {
		t.Errorf("runs of %s began at %v, want %v", task, got, want)
	}
}

func TestARateIsKeptByAllWorkersTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", d.noting, stem.RateLimit(1, time.Second), stem.Burst(3))
		var jobs []stem.Job[string]
		for range 10 {
			jobs = append(jobs, r.enqueue(def, "call"))
		}
		for range 3 {
			r.work(stem.WorkerConfig{Slots: 4, Limiter: r.limits(limit.Config{})})
		}
		time.Sleep(time.Minute)
		d.expect(t, "call", append([]time.Duration{0, 0, 0}, seconds(1, 7)...))
		for i, job := range jobs {
			if record := r.status(job); record.Attempt != 1 || record.Snoozes > 1 || record.Releases > 0 {
				t.Errorf("job %d: got attempt %d, %d snoozes and %d releases, want 1, at most one snooze and no release", i, record.Attempt, record.Snoozes, record.Releases)
			}
		}
	})
}

func TestAKeyAtItsLimitHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", d.noting, stem.RateLimit(1, time.Second), stem.LimitKeyHeader("tenant"))
		plain := r.task("plain", d.noting)
		for range 500 {
			r.enqueue(def, "greedy", stem.Header("tenant", "greedy"), stem.Priority(9))
		}
		for range 3 {
			r.enqueue(def, "modest", stem.Header("tenant", "modest"))
			r.enqueue(plain, "plain")
		}
		r.work(stem.WorkerConfig{Slots: 2, Limiter: r.limits(limit.Config{})})
		time.Sleep(10*time.Second + time.Millisecond)
		d.expect(t, "plain", []time.Duration{0, 0, 0})
		d.expect(t, "modest", seconds(0, 2))
		d.expect(t, "greedy", seconds(0, 10))
	})
}

func TestAQueueHasARateOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		one, two := r.task("one", d.noting), r.task("two", d.noting, stem.RateLimit(1, 3*time.Second))
		limits := r.limits(limit.Config{Queues: map[string]stem.Rate{"slow": {Count: 1, Per: time.Second}}})
		r.work(stem.WorkerConfig{Slots: 4, Queues: []string{"slow", "default"}, Limiter: limits})
		for range 3 {
			r.enqueue(one, "slow", stem.OnQueue("slow"))
			r.enqueue(one, "default")
			synctest.Wait()
		}
		r.enqueue(two, "both", stem.OnQueue("slow"))
		synctest.Wait()
		r.enqueue(two, "both", stem.OnQueue("slow"))
		time.Sleep(time.Minute)
		d.expect(t, "default", []time.Duration{0, 0, 0})
		d.expect(t, "slow", seconds(0, 2))
		d.expect(t, "both", []time.Duration{3 * time.Second, 4 * time.Second}) // its queue's turn, and then its own is at 3 s already
	})
}

func TestARetryTakesATurnOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", func(_ context.Context, args string) (string, error) {
			d.note(args)
			return "", errors.New("no luck")
		}, stem.RateLimit(1, 10*time.Second), stem.MaxRetries(2), stem.Backoff(stem.FixedBackoff(0)))
		r.enqueue(def, "call")
		job := r.enqueue(def, "call")
		r.work(stem.WorkerConfig{Slots: 4, Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Minute)
		var want []time.Duration
		for i := range 6 {
			want = append(want, time.Duration(i)*10*time.Second)
		}
		d.expect(t, "call", want)
		if letter := r.deadLetters("default")[0]; letter.Marks["stem.turn"] != "" || len(letter.History()) != 3 {
			t.Errorf("dead letter of %s: got marks %q, want three attempts and no turn", job.ID(), letter.Marks)
		}
	})
}

// A run that was begun has had its turn, however it ended.
func TestAReleasedRunHasHadItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", func(ctx context.Context, args string) (string, error) {
			d.note(args)
			if len(d.of(args)) == 2 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return args, nil
		}, stem.RateLimit(1, 10*time.Second))
		for range 2 {
			r.enqueue(def, "call")
		}
		stop := r.work(stem.WorkerConfig{Slots: 1, Grace: time.Second, Limiter: r.limits(limit.Config{})})
		time.Sleep(11 * time.Second) // the second has waited for its turn and runs
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Slots: 1, Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Minute)
		d.expect(t, "call", []time.Duration{0, 10 * time.Second, 20 * time.Second})
	})
}

// The turn of a task that a worker had in hand when it stopped is still its own.
func TestATurnThatWasNotUsedIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", d.noting, stem.RateLimit(1, 10*time.Second))
		slow := r.task("slow", func(context.Context, string) (string, error) { time.Sleep(15 * time.Second); return "", nil })
		r.enqueue(def, "call")
		r.enqueue(def, "call") // at 10 s
		stop := r.work(stem.WorkerConfig{Slots: 1, Limiter: r.limits(limit.Config{})})
		synctest.Wait()
		time.Sleep(time.Second)
		r.enqueue(slow, "") // until 16 s
		time.Sleep(10 * time.Second)
		go func() { _ = stop() }() // it gives back at 11 s what it has in hand
		time.Sleep(time.Second)
		r.work(stem.WorkerConfig{Slots: 1, Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Minute)
		d.expect(t, "call", []time.Duration{0, 12 * time.Second})
	})
}

// After an outage of the workers the rate holds for what waited, too.
func TestATurnLapsesThatNobodyTakes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		def := r.task("call", d.noting, stem.RateLimit(1, time.Second))
		for range 60 {
			r.enqueue(def, "call")
		}
		stop := r.work(stem.WorkerConfig{Slots: 100, Limiter: r.limits(limit.Config{})})
		time.Sleep(9500 * time.Millisecond)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		d.since, d.began = time.Now(), map[string][]time.Duration{}
		r.work(stem.WorkerConfig{Slots: 100, Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Hour)
		d.expect(t, "call", seconds(0, 49))
	})
}

func TestAPenaltyHoldsAllAndThenSpacesThem(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := newTimetable()
		limits := r.limits(limit.Config{})
		def := r.task("call", func(ctx context.Context, args string) (string, error) {
			d.note(args)
			if len(d.of(args)) > 1 {
				return "", nil
			}
			slow := errors.New("429 too many requests")
			return "", errors.Join(stem.RetryAfter(20*time.Second, slow), limits.Penalize(ctx, limit.Task("call", "acme"), 20*time.Second))
		}, stem.RateLimit(1, time.Second), stem.LimitKeyHeader("tenant"), stem.Burst(2))
		for range 4 {
			r.enqueue(def, "call", stem.Header("tenant", "acme"))
		}
		r.work(stem.WorkerConfig{Slots: 1, Limiter: limits})
		time.Sleep(time.Minute)
		// The second had its turn with the first. The others had theirs, and take new ones.
		d.expect(t, "call", []time.Duration{0, 0, 20 * time.Second, 21 * time.Second, 22 * time.Second})
	})
}

// The interruptions of a task that waits for its turn are not forgotten: else none that is limited would
// ever be found to be poison.
func TestASnoozeForATurnLeavesTheInterruptionsCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var got []int
		def := r.task("call", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			got = append(got, info.Interruptions)
			return "", nil
		}, stem.RateLimit(1, time.Minute))
		r.enqueue(def, "")
		for i := range 2 {
			request := stem.ReceiveRequest{Session: stem.Session{ID: fmt.Sprint("dies ", i), Lease: time.Second}, Queues: []string{"default"}, Max: 1}
			if _, err := r.store.Receive(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		limits := r.limits(limit.Config{})
		if err := limits.Penalize(t.Context(), limit.Task("call", ""), time.Minute); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Limiter: limits})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.Equal(got, []int{2}) {
			t.Errorf("interruptions of the runs: got %v, want one run with 2", got)
		}
	})
}

func TestATaskThatCannotHaveItsTurnInTimeExpiresInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := r.task("call", newTimetable().noting, stem.RateLimit(1, time.Hour))
		r.enqueue(def, "")
		job := r.enqueue(def, "", stem.ExpiresIn(time.Minute))
		r.work(stem.WorkerConfig{Slots: 4, Limiter: r.limits(limit.Config{})})
		began := time.Now()
		if _, err := r.wait(job); !errors.Is(err, stem.ErrCancelled) || time.Since(began) > 2*time.Minute {
			t.Errorf("got %v after %v, want that it was cancelled after a minute", err, time.Since(began))
		}
	})
}

func TestALimitedTaskNeedsAWorkerWithALimiter(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("mail.send", newTimetable().noting, stem.Concurrency(2))
		_, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{})
		if err == nil || !strings.Contains(err.Error(), `mail.send`) || !strings.Contains(err.Error(), "WorkerConfig.Limiter") {
			t.Errorf("got %v, want an error that names the task and the field", err)
		}
	})
	inBubble(t, func(t *testing.T, r *rig) { // the limit is the call's, so no worker could refuse
		d := newTimetable()
		def := r.task("call", d.noting)
		r.enqueue(def, "call", stem.RateLimit(1, time.Second))
		var logs bytes.Buffer
		stop := r.work(stem.WorkerConfig{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		time.Sleep(10 * time.Minute)
		d.expect(t, "call", nil)
		if n := len(eventsOf[stem.TaskReleased](r)); n > 40 {
			t.Errorf("got %d releases in ten minutes, want them farther and farther apart", n)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(logs.String(), "WorkerConfig.Limiter"); n < 5 || n > 10 {
			t.Errorf("got %d warnings in ten minutes, want one a minute at most", n)
		}
		d.since = time.Now()
		r.work(stem.WorkerConfig{Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Minute)
		if len(d.of("call")) != 1 {
			t.Errorf("got %d runs by a worker with limits, want 1", len(d.of("call")))
		}
	})
}

// failingLimits are a store's that now and then does not answer.
type failingLimits struct {
	*memory.Store
	mu    sync.Mutex
	down  bool
	calls int
}

func (f *failingLimits) fail() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.down {
		return errors.New("no answer")
	}
	return nil
}

func (f *failingLimits) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *failingLimits) TakeTurns(ctx context.Context, turns ...limit.Turn) ([]time.Duration, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.TakeTurns(ctx, turns...)
}

func (f *failingLimits) HoldPlaces(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.HoldPlaces(ctx, s, holds...)
}

// count gives how many calls there were by now.
func (f *failingLimits) count() int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func TestLimitsFailOpenOrClosed(t *testing.T) {
	for _, kind := range []struct {
		name string
		opt  []stem.Option
	}{
		{"a rate", []stem.Option{stem.RateLimit(100, time.Second)}},
		{"a concurrency", []stem.Option{stem.Concurrency(100)}},
	} {
		for _, open := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, open %v", kind.name, open), func(t *testing.T) {
				inBubble(t, func(t *testing.T, r *rig) {
					d := newTimetable()
					limited, plain := r.task("limited", d.noting, kind.opt...), r.task("plain", d.noting)
					store := &failingLimits{Store: r.store, down: true}
					cfg := limit.Config{WhenStoreFails: limit.FailClosed}
					if open {
						cfg.WhenStoreFails = limit.FailOpen
					}
					limits, err := limit.New(store, cfg)
					if err != nil {
						t.Fatal(err)
					}
					r.work(stem.WorkerConfig{Slots: 4, Limiter: limits})
					for range 60 {
						r.enqueue(limited, "limited")
						r.enqueue(plain, "plain")
						time.Sleep(time.Second)
					}
					calls := store.count()
					runs := len(d.of("limited"))
					if open && runs != 60 || !open && runs != 0 {
						t.Errorf("got %d runs while the store did not answer, want 60 or none", runs)
					}
					if plain := len(d.of("plain")); plain != 60 {
						t.Errorf("got %d runs without a limit, want 60", plain)
					}
					if calls > 60 {
						t.Errorf("got %d calls in a minute, want them farther apart", calls)
					}
					failures := eventsOf[stem.StoreFailed](r)
					if len(failures) != calls || failures[0].Operation != "limits" || !strings.Contains(failures[0].Err.Error(), "no answer") {
						t.Errorf("got %d events, the first %+v, want one for each of %d failures", len(failures), failures[0], calls)
					}
					store.set(false)
					time.Sleep(10 * time.Second)
					r.enqueue(limited, "limited")
					time.Sleep(time.Minute)
					if runs := len(d.of("limited")); runs != 61 {
						t.Errorf("got %d runs, want all 61 when the store has answered", runs)
					}
					if n := len(eventsOf[stem.StoreRecovered](r)); n != 1 {
						t.Errorf("got %d recoveries, want 1", n)
					}
				})
			})
		}
	}
}

func TestBadLimitsAreRefused(t *testing.T) {
	store := new(memory.Store)
	for want, cfg := range map[string]limit.Config{
		"limit.FailOpen, which lets": {},
		"limit.Config.Queues":        {WhenStoreFails: limit.FailOpen, Queues: map[string]stem.Rate{"q": {Count: 1}}},
		`for "q"`:                    {WhenStoreFails: limit.FailOpen, Queues: map[string]stem.Rate{"q": {}}},
	} {
		if _, err := limit.New(store, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := limit.New(nil, limit.Config{WhenStoreFails: limit.FailOpen}); err == nil {
		t.Error("without a store: got no error")
	}
}

// slowLimits answer about turns when they are let go, or their context ends.
type slowLimits struct {
	stem.Limiter
	asked chan int
	letGo chan struct{}
}

func (s *slowLimits) Reserve(ctx context.Context, turns ...stem.Turn) ([]time.Duration, error) {
	s.asked <- len(turns)
	select {
	case <-s.letGo:
		return nil, nil
	case <-ctx.Done():
		return slices.Repeat([]time.Duration{stem.NotNow}, len(turns)), ctx.Err()
	}
}

func TestAWorkerReceivesWhileItAsksForTurns(t *testing.T) {
	for _, stops := range []bool{false, true} {
		t.Run(fmt.Sprint("and stops meanwhile: ", stops), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				began := newTimetable()
				limited := r.task("limited", began.noting, stem.RateLimit(1000, time.Second))
				slow := &slowLimits{r.limits(limit.Config{}), make(chan int, 10), make(chan struct{})}
				stop := r.work(stem.WorkerConfig{Slots: 10, Limiter: slow})
				for range 2 {
					if _, err := limited.EnqueueMany(r.t.Context(), slices.Repeat([]string{"args"}, 5)); err != nil { // five are one batch
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if got, want := r.count("default").Running, 10; got != want {
					t.Errorf("got %d tasks on loan while it is asked for the turns of the first, want %d", got, want)
				}
				if len(began.of("args")) > 0 {
					t.Error("got a run that began before its turn was known")
				}
				if !stops {
					close(slow.letGo)
					synctest.Wait()
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				want := 0
				if stops {
					want = 10
				}
				counts := r.count("default")
				if got := counts.Ready + counts.Delayed; got != want || counts.Running != 0 || len(began.of("args")) != 10-want {
					t.Errorf("got %+v and %d runs, want %d tasks that wait, and %d runs", counts, len(began.of("args")), want, 10-want)
				}
			})
		})
	}
}
