package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// What stands in the tables is not always what was written there: a person has mended something, or another program. It harms nothing
// but itself: it is lent as what cannot be read, becomes a dead letter with its bytes, and what lies beside it runs.
func TestHostileRowsHarmOnlyThemselves(t *testing.T) {
	url := testpostgres.URL(t)
	store := openStore(t, url)
	hostile := []string{
		`envelope = '\xdeadbeef'`,
		`envelope = ''`,
		`envelope = decode(repeat('ff', 100000), 'hex')`,
		`envelope = '\xc1'`,
		`queue = 'mail', task = E'\u001b[31m\u0007'`,
		`task = repeat('x', 100000)`,
		`marks = '[1, {"a": null}]'`,
		`marks = '"text"'`,
		`failures = -5, snoozes = -1, releases = -2147483648`,
		`size = -1`,
		`due = '2000-01-02'`,
		`published = '9999-12-31 23:59:59'`,
		`visibility = -9223372036854775808`,
		`cut = '{-1, 0, 9223372036854775807}'`,
	}
	for i := range hostile {
		env := stem.Envelope{ID: fmt.Sprint("task-", i), Queue: "mail", Task: "demo.hello", Priority: i % 10, Backoff: stem.FixedBackoff(time.Second)}
		if _, err := store.Publish(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		exec(t, url, fmt.Sprintf(`UPDATE stem.task SET %s WHERE seq = (SELECT max(seq) FROM stem.task)`, hostile[i]))
	}
	if _, err := store.Publish(t.Context(), stem.Envelope{ID: "sound", Queue: "mail", Task: "demo.hello", Backoff: stem.FixedBackoff(time.Second)}); err != nil {
		t.Fatal(err)
	}
	session := stem.Session{ID: "session", Lease: time.Minute}
	sound, seen := false, 0
	for seen <= len(hostile) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: session, Queues: []string{"mail"}, Max: 4})
		cancel()
		if err != nil {
			t.Fatalf("after %d of %d: %v", seen, len(hostile)+1, err)
		}
		for _, d := range ds {
			seen++
			verdict := stem.VerdictAck
			if d.Malformed != nil {
				verdict = stem.VerdictDeadLetter
			} else if d.ID == "sound" {
				sound = true
			}
			if d.Attempt < 1 || d.Snoozes < 0 || d.Releases < 0 || d.Interruptions < 0 {
				t.Errorf("%s: got attempt %d, %d snoozes, %d releases and %d interruptions, want no less than there can be", d.ID, d.Attempt, d.Snoozes, d.Releases, d.Interruptions)
			}
			if err := store.Settle(t.Context(), stem.Settlement{Delivery: d, Verdict: verdict, Reason: "malformed"}); err != nil {
				t.Errorf("%s: settle: %v", d.ID, err)
			}
		}
	}
	if !sound {
		t.Error("the sound task has not been lent")
	}
	letters, err := store.DeadLetters(t.Context(), "mail", 100)
	if err != nil || len(letters) < 4 {
		t.Errorf("got %d dead letters, %v, want 4 at least", len(letters), err)
	}
}
