package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// What is no announcement is shown as that and hides nobody, and what is over goes as others announce themselves.
func TestEntriesOfWorkers(t *testing.T) {
	url := testpostgres.URL(t)
	s, err := postgres.Open(t.Context(), url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range 50 {
		if err := s.Announce(t.Context(), stem.WorkerInfo{ID: fmt.Sprint(i), For: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Millisecond)
	if err := s.Announce(t.Context(), stem.WorkerInfo{ID: "good", For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "INSERT INTO stem.worker VALUES ('bad', '2026-01-01', 'infinity', '\\x920280')")
	infos, err := s.Workers(t.Context())
	if err != nil || len(infos) != 2 {
		t.Fatalf("got %+v and error %v, want two", infos, err)
	}
	for _, info := range infos {
		if (info.Malformed != nil) != (info.ID == "bad") {
			t.Errorf("%s: got %v", info.ID, info.Malformed)
		}
	}
	if n := value(t, url, "SELECT (count(*) <= 32)::text FROM stem.worker"); n != "true" {
		t.Error("got more kept, want twenty of those gone that are over")
	}
}
