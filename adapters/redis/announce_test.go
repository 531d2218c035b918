package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// An outcome is announced where somebody waits, who hears of it long before it would look again; of others nobody is told.
func TestOutcomesAreAnnouncedWhereSomebodyWaits(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	session := sessionOf("s")
	run := func(t *testing.T, id string, verdict stem.Verdict, settle func(context.Context, ...stem.Settlement) error) {
		t.Helper()
		if _, err := store.Publish(t.Context(), stem.Envelope{ID: id, Task: "known", Queue: "q"}); err != nil {
			t.Fatal(err)
		}
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: session, Queues: []string{"q"}, Max: 1})
		if err != nil || len(ds) != 1 {
			t.Fatalf("got %d deliveries and %v, want one", len(ds), err)
		}
		result := &stem.Result{ID: id, Delivery: ds[0].Number, State: stem.StateSucceeded, Keep: time.Minute}
		if err := settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: verdict, Result: result}); err != nil {
			t.Fatal(err)
		}
	}
	saveThenSettle := func(ctx context.Context, ss ...stem.Settlement) error {
		if err := store.Save(ctx, *ss[0].Result); err != nil {
			return err
		}
		return store.Settle(ctx, ss...)
	}
	for _, tt := range []struct {
		way     string
		verdict stem.Verdict
		settle  func(context.Context, ...stem.Settlement) error
	}{
		{"settled with its result", stem.VerdictAck, store.SaveAndSettle},
		{"set aside with its result", stem.VerdictDeadLetter, store.SaveAndSettle},
		{"saved, then settled", stem.VerdictAck, saveThenSettle},
	} {
		t.Run(tt.way, func(t *testing.T) {
			name := strings.ReplaceAll(tt.way, " ", "-")
			before := announcements(t, server)
			run(t, "unwatched-"+name, tt.verdict, tt.settle)
			if got := announcements(t, server) - before; got != 0 {
				t.Errorf("got %d announcements of what nobody waits for, want none", got)
			}
			id := "watched-" + name
			heard := make(chan time.Time, 1)
			go func() {
				_, err := store.Await(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				heard <- time.Now()
			}()
			awaitWord(t, server, id)
			saved := time.Now()
			run(t, id, tt.verdict, tt.settle)
			if took := (<-heard).Sub(saved); took > time.Second {
				t.Errorf("got the outcome after %v, want it at once", took)
			}
			if got := announcements(t, server) - before; got != 1 {
				t.Errorf("got %d announcements, want one", got)
			}
		})
	}
}

// awaitWord waits until somebody has left word that it waits for an id that tells no time, and looks no more by itself.
func awaitWord(t *testing.T, server *testredis.Server, id string) {
	t.Helper()
	for {
		word, err := server.Do("hexists", "stem:results:-"+id, "")
		if err != nil {
			t.Fatal(err)
		}
		channels, err := server.Do("pubsub", "channels")
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := channels.([]any); word == int64(1) && len(list) == 1 {
			time.Sleep(50 * time.Millisecond) // it looks once more when it has subscribed
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// announcements counts what a server was told to publish.
func announcements(t *testing.T, server *testredis.Server) int {
	t.Helper()
	return told(t, server, "commandstats", `cmdstat_publish:calls=(\d+)`)
}
