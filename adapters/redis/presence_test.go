package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// What is no announcement is shown as that, and hides nobody.
func TestAWorkerThatCannotBeReadIsShown(t *testing.T) {
	url := testredis.URL(t)
	s, err := redis.Open(context.Background(), url, redis.Config{Namespace: "stray"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Announce(t.Context(), stem.WorkerInfo{ID: "good", For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	client.HSet(t.Context(), "stray:{%workers}:said", "bad", "1767225600000 \x92\x02\x80", "without an end", "1 x")
	client.ZAdd(t.Context(), "stray:{%workers}:until", goredis.Z{Score: 1e15, Member: "bad"}, goredis.Z{Score: 1e15, Member: "without a word"})
	infos, err := s.Workers(t.Context())
	if err != nil || len(infos) != 2 {
		t.Fatalf("got %+v and error %v, want two", infos, err)
	}
	for _, info := range infos {
		if (info.Malformed != nil) != (info.ID == "bad") {
			t.Errorf("%s: got %v", info.ID, info.Malformed)
		}
		if info.ID == "bad" && !info.Seen.Equal(time.UnixMilli(1767225600000)) {
			t.Errorf("bad: got it seen at %v, want the first moment of 2026", info.Seen)
		}
	}
}

// What is over goes as others announce themselves.
func TestAnnouncementsDoNotPileUp(t *testing.T) {
	url := testredis.URL(t)
	s, err := redis.Open(context.Background(), url, redis.Config{Namespace: "pile"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range 100 {
		if err := s.Announce(t.Context(), stem.WorkerInfo{ID: fmt.Sprint(i), For: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if n := client.HLen(t.Context(), "pile:{%workers}:said").Val(); n > 10 {
		t.Errorf("got %d kept, want the last ones", n)
	}
}

// What the guide and docs/adapters/redis.md say a heartbeat costs.
func TestAHeartbeatIsAScriptOfTwoCommands(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	s, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	beat := func() {
		if err := s.Announce(t.Context(), stem.WorkerInfo{ID: "w", For: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	beat() // the first has those forgotten whose time is over
	commands := func() int {
		return told(t, server, "commandstats", `cmdstat_(?:eval|evalsha|time|hset|zadd|zrangebyscore):calls=(\d+)`)
	}
	before := commands()
	for range 10 {
		beat()
	}
	if got, want := commands()-before, 10*(1+2); got != want {
		t.Errorf("got %d commands for ten heartbeats, want %d", got, want)
	}
}
