package postgres_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem/ops"
)

func TestAnExaminationFindsWhatHasChangedSinceTheStart(t *testing.T) {
	server := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, server.URL())
	tests := []struct {
		promise      string
		url          string
		change, undo string
		want         ops.Finding
	}{
		{"what it is", server.URL(), "", "", ops.Finding{Level: ops.LevelInfo, Code: "schema", What: "has version"}},
		{"a server that keeps every write", server.URL(), "", "", ops.Finding{Level: ops.LevelInfo, Code: "durability", What: "durability: power-loss safe"}},
		{"a pooler", bouncer.URL(server.URL()), "", "", ops.Finding{Level: ops.LevelInfo, Code: "pooler", What: "one to a pooler"}},
		{"tables that are not vacuumed", server.URL(), "ALTER TABLE stem.task SET (autovacuum_enabled = off)", "ALTER TABLE stem.task RESET (autovacuum_enabled)",
			ops.Finding{Level: ops.LevelWarning, Code: "autovacuum", What: `off for table "stem"."task"`, Remedy: "RESET (autovacuum_enabled)"}},
		{"a server that vacuums nothing", server.URL(), "ALTER SYSTEM SET autovacuum = off; SELECT pg_reload_conf()", "ALTER SYSTEM RESET autovacuum; SELECT pg_reload_conf()",
			ops.Finding{Level: ops.LevelWarning, Code: "autovacuum", What: "autovacuum is off: tables grow", Remedy: "ALTER SYSTEM"}},
		{"a schema of a newer program", server.URL(), "INSERT INTO stem.stem_migration SELECT (r).* FROM (SELECT jsonb_populate_record(m, '{\"version\": 9000, \"needs\": 9000}') AS r FROM stem.stem_migration m LIMIT 1) AS one",
			"DELETE FROM stem.stem_migration WHERE version = 9000", ops.Finding{Level: ops.LevelError, Code: "schema", What: "deploy a newer one"}},
		{"dead rows", server.URL(), "INSERT INTO stem.of_a_test SELECT generate_series(1, 11000); DELETE FROM stem.of_a_test", "",
			ops.Finding{Level: ops.LevelWarning, Code: "bloat", What: "dead rows beside", Remedy: "VACUUM"}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			store, err := postgres.Open(t.Context(), tt.url, postgres.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if _, err := server.Query("CREATE TABLE IF NOT EXISTS stem.of_a_test (n int) WITH (autovacuum_enabled = off); INSERT INTO stem.of_a_test VALUES (0)"); err != nil {
				t.Fatal(err)
			}
			fits := func(f ops.Finding) bool {
				return f.Level == tt.want.Level && f.Code == tt.want.Code && strings.Contains(f.What, tt.want.What) && strings.Contains(f.Remedy, tt.want.Remedy)
			}
			if tt.change != "" {
				if found := examined(t, store); slices.ContainsFunc(found, fits) {
					t.Errorf("got it before the change: %+v", found)
				}
				for part := range strings.SplitSeq(tt.change, "; ") {
					if _, err := server.Query(part); err != nil {
						t.Fatal(err)
					}
				}
			}
			found := examined(t, store)
			for range 50 { // settings are read again, and statistics written, a moment later
				if slices.ContainsFunc(found, fits) {
					break
				}
				found = examined(t, store)
			}
			if !slices.ContainsFunc(found, fits) {
				t.Errorf("got %+v, want %+v among it", found, tt.want)
			}
			for part := range strings.SplitSeq(tt.undo, "; ") {
				if _, err := server.Query(part); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// The age that counts is minutes, so it is asked for another one.
func TestAnExaminationFindsATransactionThatIsLeftOpen(t *testing.T) {
	url := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), url, postgres.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	conn, err := pgx.Connect(t.Context(), url+"&application_name=forgetful")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	pid := fmt.Sprintf("pid %d", conn.PgConn().PID())
	if text, err := store.OldSnapshots(t.Context(), 0); err != nil || !strings.Contains(text, `"forgetful"`) || !strings.Contains(text, pid) {
		t.Errorf("got %q, error %v, want the one that is open", text, err)
	}
	if text, err := store.OldSnapshots(t.Context(), 300); err != nil || text != "" {
		t.Errorf("got %q, error %v, want nothing: it is young", text, err)
	}
}

func examined(t *testing.T, store *postgres.Store) []ops.Finding {
	t.Helper()
	found, err := store.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}
