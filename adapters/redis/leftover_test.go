package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// Thousands of tasks with all that tasks can have, and workers that die: when all is done, what stays is a frame of some
// kilobytes, and for each worker a key that goes by itself. With the older protocol and on another database, too.
func TestOnlyAFrameStaysBehind(t *testing.T) {
	for _, query := range []string{"", "?protocol=2&db=3"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			b := newTable(t, query)
			const n = 3000
			for i := 0; i < n; i += 1000 {
				b.publish(featureful(i, 1000)...)
			}
			var rs []stem.Revocation
			for i := range 100 {
				rs = append(rs, stem.Revocation{Queue: tableQueue, ID: fmt.Sprint("id-", i), For: time.Second})
			}
			if err := b.Revoke(t.Context(), rs...); err != nil {
				t.Fatal(err)
			}
			if done := b.workAll(); done != n {
				t.Errorf("got %d tasks done, want %d", done, n)
			}
			time.Sleep(1100 * time.Millisecond) // results, keys and revocations are kept for 1 s
			b.expectFrame()
		})
	}
}

func featureful(from, n int) []stem.Envelope {
	envs := make([]stem.Envelope, n)
	for i := range envs {
		k := from + i
		e := plainTask(fmt.Sprint("id-", k))
		if k%5 == 0 {
			e.Priority = k % 10
		}
		if k%7 == 0 {
			e.Delay = time.Duration(k%50+1) * time.Millisecond
		}
		if k%11 == 0 {
			e.DedupeKey, e.DedupeWindow = fmt.Sprint(k), time.Second
		}
		if k%13 == 0 {
			e.Visibility = 2 * time.Minute
		}
		envs[i] = e
	}
	return envs
}

// workAll has one worker after the other take tasks and die or settle, until nothing comes for long by the store's clock.
func (b *table) workAll() (done int) {
	b.t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for session, idle := 0, 0; idle < 8; {
		ds := b.receive(fmt.Sprint("session-", session), 200, 100*time.Millisecond)
		if len(ds) == 0 || rng.IntN(10) == 0 { // it dies
			session++
			b.clock.Advance(61 * time.Second)
			idle++
			continue
		}
		idle = 0
		ss := make([]stem.Settlement, len(ds))
		for i, d := range ds {
			ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}
			switch rng.IntN(20) {
			case 0, 1:
				ss[i].Verdict = stem.VerdictRelease
			case 2, 3:
				ss[i].Verdict = stem.VerdictRetry
			default:
				done++
				ss[i].Result = &stem.Result{ID: d.ID, State: stem.StateSucceeded, Delivery: d.Number, Keep: time.Second}
			}
			if ss[i].Verdict != stem.VerdictAck && rng.IntN(2) == 0 {
				ss[i].Delay = 10 * time.Millisecond
			}
		}
		if err := b.SaveAndSettle(b.t.Context(), ss...); err != nil {
			b.t.Fatal(err)
		}
	}
	return done
}

func (b *table) expectFrame() {
	b.t.Helper()
	ctx := b.t.Context()
	keys, err := b.raw.Keys(ctx, b.cfg.Namespace+":*").Result()
	if err != nil || len(keys) == 0 {
		b.t.Fatalf("got %v, %v", keys, err)
	}
	size := int64(0)
	for _, key := range keys {
		switch {
		case strings.HasPrefix(key, b.keys):
			size += b.raw.MemoryUsage(ctx, key).Val()
		case key == b.cfg.Namespace+":queues":
		case !strings.HasPrefix(key, b.cfg.Namespace+":session:") || b.raw.TTL(ctx, key).Val() <= 0:
			b.t.Errorf("got the key %s for %v", key, b.raw.TTL(ctx, key).Val())
		}
	}
	if size > 20_000 {
		b.t.Errorf("got %d bytes in %d keys, want at most 20,000", size, len(keys))
	}
	for p := range stem.MaxPriority + 1 {
		stream := b.keys + fmt.Sprint(p)
		consumers, err := b.raw.XInfoConsumers(ctx, stream, "stem").Result()
		if n := b.raw.XLen(ctx, stream).Val(); err != nil || n > 0 || len(consumers) > 3 {
			b.t.Errorf("got %d entries, %d consumers, %v in stream %d, want none and at most 3", n, len(consumers), err, p)
		}
	}
}
