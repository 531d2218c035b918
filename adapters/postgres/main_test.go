package postgres_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testpostgres"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(testpostgres.Main(m))
}
