package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// Somebody has locked the table; the look at the queue is cut off 2 s after its caller has gone.
func TestAReceiveThatIsCutOffAnswersWhatItsCallerHasDone(t *testing.T) {
	database := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), database, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	exec(t, database, "BEGIN", "LOCK TABLE stem.task") // until the end of the test
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"q"}, Max: 1})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
