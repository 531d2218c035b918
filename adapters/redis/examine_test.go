package redis_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem/ops"
)

func TestAnExaminationFindsWhatHasChangedSinceTheStart(t *testing.T) {
	tests := []struct {
		promise string
		server  func(t *testing.T) *testredis.Server
		change  [][]string
		want    ops.Finding
	}{
		{"a server that keeps nothing", fresh, nil, ops.Finding{Level: ops.LevelWarning, Code: "durability", What: "keeps nothing on disk", Remedy: "CONFIG SET appendonly yes"}},
		{"a server that keeps what it acknowledges", fresh, [][]string{{"CONFIG", "SET", "appendonly", "yes"}},
			ops.Finding{Level: ops.LevelInfo, Code: "durability", What: "durability: process-crash safe"}},
		{"a server that evicts", fresh, [][]string{{"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}, {"CONFIG", "SET", "maxmemory", "1gb"}},
			ops.Finding{Level: ops.LevelError, Code: "server", What: "would evict tasks without a word"}},
		{"a server that is nearly full", fresh, [][]string{{"CONFIG", "SET", "maxmemory", "1mb"}},
			ops.Finding{Level: ops.LevelWarning, Code: "memory", What: "of the memory that it may", Remedy: "raise maxmemory"}},
		{"a replica", fresh, [][]string{{"REPLICAOF", "127.0.0.1", "1"}}, ops.Finding{Level: ops.LevelError, Code: "server", What: "is a replica"}},
		{"a user without rights", limited, [][]string{{"ACL", "SETUSER", "limited", "-xadd"}},
			ops.Finding{Level: ops.LevelError, Code: "rights", What: "user limited has no right to xadd"}},
		{"a user who cannot listen", limited, [][]string{{"ACL", "SETUSER", "limited", "-subscribe"}},
			ops.Finding{Level: ops.LevelWarning, Code: "rights", What: "SUBSCRIBE is refused", Remedy: "+subscribe"}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			server := tt.server(t)
			store, err := redis.Open(t.Context(), server.URL(), redis.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			before := examined(t, store)
			for _, command := range tt.change {
				if _, err := server.Do(command...); err != nil {
					t.Fatal(err)
				}
			}
			fits := func(f ops.Finding) bool {
				return f.Level == tt.want.Level && f.Code == tt.want.Code && strings.Contains(f.What, tt.want.What) && strings.Contains(f.Remedy, tt.want.Remedy)
			}
			if found := examined(t, store); !slices.ContainsFunc(found, fits) {
				t.Errorf("got %+v, want %+v among it", found, tt.want)
			}
			if len(tt.change) > 0 && slices.ContainsFunc(before, fits) {
				t.Errorf("got it before the change, too: %+v", before)
			}
		})
	}
}

func fresh(t *testing.T) *testredis.Server { return testredis.Start(t, testredis.Config{}) }

func limited(t *testing.T) *testredis.Server { return testredis.WithACL(t, "~*", "&*", "+@all") }

func examined(t *testing.T, store *redis.Store) []ops.Finding {
	t.Helper()
	found, err := store.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}
