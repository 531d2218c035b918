package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// What limits have left in the server goes by itself when it says nothing any more, and not before.
func TestWhatLimitsLeaveBehindGoes(t *testing.T) {
	t.Parallel()
	b := newTable(t, "")
	turn := limit.Turn{Bucket: limit.Task("mail", "tenant"), Interval: 300 * time.Millisecond}
	if _, err := b.TakeTurns(t.Context(), turn, turn); err != nil {
		t.Fatal(err)
	}
	if err := b.Penalize(t.Context(), limit.Queue("q"), 600*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	session := stem.Session{ID: "s", Lease: 600 * time.Millisecond}
	if _, err := b.HoldPlaces(t.Context(), session, stem.Hold{Task: "mail", Limit: 3, N: 2}, stem.Hold{Task: "idle", Limit: 3}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := b.leftByLimits(); got != 3 && time.Since(began) < 300*time.Millisecond {
		t.Errorf("got %d keys, want those of two buckets and of the places of one task", got)
	}
	for b.leftByLimits() > 0 {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("got %d keys after 5s, want none", b.leftByLimits())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("they were gone after %v, want them for 600ms", took)
	}
}

// leftByLimits counts the keys of limits.
func (b *table) leftByLimits() (n int) {
	b.t.Helper()
	for _, pattern := range []string{":limit:*", ":places:*"} {
		keys, err := b.raw.Keys(b.t.Context(), b.cfg.Namespace+pattern).Result()
		if err != nil {
			b.t.Fatal(err)
		}
		n += len(keys)
	}
	return n
}

// The page on this adapter tells what limits cost.
func TestWhatLimitsCost(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	keyed := func(i int) limit.Turn {
		return limit.Turn{Bucket: limit.Task("mail", fmt.Sprint(i)), Interval: time.Second}
	}
	session := sessionOf("s")
	for _, tt := range []struct {
		what string
		call func() error
		most int // commands, those in scripts included
	}{
		{"turns of 50 tasks in one bucket", func() error {
			turns := make([]limit.Turn, 50)
			for i := range turns {
				turns[i] = keyed(0)
			}
			_, err := store.TakeTurns(t.Context(), turns...)
			return err
		}, 4},
		{"turns of 50 tasks in 50 buckets", func() error {
			turns := make([]limit.Turn, 50)
			for i := range turns {
				turns[i] = keyed(i)
			}
			_, err := store.TakeTurns(t.Context(), turns...)
			return err
		}, 2 + 2*50},
		{"places of a task", func() error {
			_, err := store.HoldPlaces(t.Context(), session, stem.Hold{Task: "mail", Limit: 3, N: 2})
			return err
		}, 5},
	} {
		if err := tt.call(); err != nil { // the server learns the script
			t.Fatal(err)
		}
		before := commandsOf(t, server)
		if err := tt.call(); err != nil {
			t.Fatal(err)
		}
		if got := commandsOf(t, server) - before - 1; got > tt.most { // INFO counts itself
			t.Errorf("%s: got %d commands, want at most %d", tt.what, got, tt.most)
		} else {
			t.Logf("%s: %d commands", tt.what, got)
		}
	}
}

// commandsOf counts the commands that a server has seen, those in scripts included.
func commandsOf(t *testing.T, server *testredis.Server) int {
	t.Helper()
	return told(t, server, "commandstats", `cmdstat_[^:]+:calls=(\d+)`)
}

// Who was lent as many of a task as it may have, and a moment later may have one more, gets at once what was set aside meanwhile.
func TestWhatWasSetAsideForABoundIsLentAtOnce(t *testing.T) {
	t.Parallel()
	b := newTable(t, "")
	receive := func(patience time.Duration) []stem.Delivery {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ds, _ := b.Receive(ctx, stem.ReceiveRequest{
			Session: sessionOf("s"), Queues: []string{tableQueue}, Max: 10, AtMost: map[string]int{"plain.task": 1},
		})
		return ds
	}
	var took time.Duration
	const rounds = 10
	for range rounds {
		first := make(chan []stem.Delivery)
		go func() { first <- receive(5 * time.Second) }()
		b.awaitBlocked(1)
		b.publish(plainTask("a"), plainTask("b"))
		got := <-first
		b.do("xtrim", "~wake", "maxlen", 0) // another worker has taken the token
		began := time.Now()
		got = append(got, receive(5*time.Second)...)
		took += time.Since(began)
		if len(got) != 2 {
			t.Fatalf("got %d deliveries by two receives, want one each", len(got))
		}
		for _, d := range got {
			if err := b.Settle(t.Context(), stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if took > rounds*50*time.Millisecond {
		t.Errorf("got the second after %v as a rule, want it at once", took/rounds)
	} else {
		t.Logf("after %v", took/rounds)
	}
}
