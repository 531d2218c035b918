package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// TestALapsedKeyHoldsNoTaskUp starts a task while another transaction has the row of its unique key: until the time of the key
// is over that may be one that takes the key over, and the task is received again; after it the key is nobody's, and who has the row
// tidies up, or takes what all may take.
func TestALapsedKeyHoldsNoTaskUp(t *testing.T) {
	l := newLender(t)
	unique := &stem.Uniqueness{Key: "key", Until: stem.UntilTime, For: 30 * time.Second, OnConflict: stem.ConflictReplace}
	if _, err := l.Publish(t.Context(), stem.Envelope{ID: "one", Queue: "default", Task: "a", Unique: unique}); err != nil {
		t.Fatal(err)
	}
	d := l.take("worker", time.Hour, from("default", 1))[0]
	tx, err := connect(t, l.url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tag, err := tx.Exec(t.Context(), "SELECT FROM stem.unique_key FOR UPDATE"); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("got %v, %v; want one key", tag, err)
	}
	notices, err := l.Started(t.Context(), d)
	if err != nil || len(notices) != 1 || !errors.Is(notices[0].Cause, stem.ErrTransactionOpen) {
		t.Fatalf("while the key is held: got %v, %v; want one notice of ErrTransactionOpen", notices, err)
	}
	l.clock.Advance(time.Minute)
	if notices, err := l.Started(t.Context(), d); err != nil || len(notices) > 0 {
		t.Errorf("when its time is over: got %v, %v; want no notice", notices, err)
	}
}
