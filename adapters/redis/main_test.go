package redis_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testredis"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(testredis.Main(m))
}
