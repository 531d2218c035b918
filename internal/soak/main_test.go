//go:build unix

package soak

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testpostgres"
)

// span is how long each store is soaked; 0 is the smoke test, of the memory store alone.
var span = flag.Duration("soak", 0, "how long each store is soaked; 0 is the memory store alone, for 20 s")

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelError) // of the processes, which are shown when the test has failed: faults are no news
	if code, ran := crashworker.Main(faultsite.Programs(open)); ran {
		os.Exit(code)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(testpostgres.Main(m))
}

// open opens the store at a URL.
func open(ctx context.Context, url string) (faultsite.Store, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "redis":
		return redis.Open(ctx, url, redis.Config{})
	case "postgres", "postgresql":
		return postgres.Open(ctx, url, postgres.Config{})
	default:
		return nil, fmt.Errorf("there is no store of %s", url)
	}
}

func TestSoak(t *testing.T) {
	if *span == 0 {
		soakMemory(t, 20*time.Second)
		return
	}
	t.Run("memory", func(t *testing.T) { soakMemory(t, *span) })
	t.Run("redis", func(t *testing.T) { soakRedis(t, *span) })
	t.Run("postgres", func(t *testing.T) { soakPostgres(t, *span) })
}
