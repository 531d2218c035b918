package postgres_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// TestTheSQLOfThePageFindsWhatItSays runs what the page on this adapter gives to operators, where there is something to find.
func TestTheSQLOfThePageFindsWhatItSays(t *testing.T) {
	url := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{"late", "dead", "unknown", "lapsed"} {
		if _, err := hello.Hello.Via(client).Enqueue(t.Context(), hello.HelloArgs{}, stem.OnQueue(queue)); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(queue string) []stem.Delivery {
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: stem.Session{ID: "gone", Lease: time.Hour}, Queues: []string{queue}, Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	receive("lapsed")
	if err := store.Settle(t.Context(), stem.Settlement{Delivery: receive("dead")[0], Verdict: stem.VerdictDeadLetter, Reason: "why not"}); err != nil {
		t.Fatal(err)
	}
	// What takes time is made up.
	exec(t, url, "UPDATE stem.task SET holder = 0 WHERE queue = 'unknown'", "UPDATE stem.session SET lapses = lapses - interval '2 hours'",
		"UPDATE stem.task SET due = due - interval '1 minute' WHERE queue = 'late'")

	page, err := os.ReadFile("../../docs/adapters/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	var found []string
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(page, -1) {
		for _, statement := range strings.SplitAfter(strings.TrimSpace(string(block[1])), ";") {
			if statement == "" {
				continue
			}
			rows, err := conn.Query(t.Context(), statement)
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			answers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
				values, err := row.Values()
				return fmt.Sprint(values), err
			})
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			found = append(found, strings.Join(answers, " "))
		}
	}
	for i, want := range []string{`^\[late .*\]$`, `^\[dead 1\]$`, `^\[unknown demo.hello 1\]$`, `^\[gone .* 1\]$`, `\[task \d+ \d+ .*\]`, ``, ``, ``} {
		if i >= len(found) || !regexp.MustCompile(want).MatchString(found[i]) {
			t.Errorf("statement %d of the page: got %q, want %s", i+1, found, want)
		}
	}
}
