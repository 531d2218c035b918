package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem/ops"
)

// planner keeps the plans of what a pool runs, as the server notes them.
type planner struct {
	mu    sync.Mutex
	plans []string
}

// newPlanner gives a pool whose statements are noted, with the settings of auto_explain that are given.
func newPlanner(t testing.TB, url, settings string) (*planner, *pgxpool.Pool) {
	p := new(planner)
	return p, newPool(t, url, func(cfg *pgxpool.Config) {
		cfg.MaxConns = 2
		cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.plans = append(p.plans, n.Message)
		}
		cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET client_min_messages = log; "+settings)
			return err
		}
	})
}

// take gives the plans since it was last called.
func (p *planner) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	plans := p.plans
	p.plans = nil
	return plans
}

// read is a step of a plan that reads a table, with how many rows it gave each time, and how often it was done.
var read = regexp.MustCompile(`([A-Z][\w ]*Scan)[\w ]* on stem\.(?:task|session|queue|dead_letter|result|unique_key)\b.*\(actual rows=(\d+) loops=(\d+)\)`)

// TestOperatorsLookAtBoundedParts has tables that were never analyzed, and that were while they were empty, with far more in them than a call
// may look at. Whatever is asked: what is read is read by its index, or by where its row is, and no more of it than is told.
func TestOperatorsLookAtBoundedParts(t *testing.T) {
	for _, analyzed := range []bool{false, true} {
		t.Run(fmt.Sprint("analyzed while empty: ", analyzed), func(t *testing.T) {
			url := testpostgres.URL(t)
			plans, pool := newPlanner(t, url, "SET auto_explain.log_analyze = on; SET auto_explain.log_timing = off; SET auto_explain.log_verbose = on")
			store, err := postgres.New(t.Context(), pool, postgres.Config{PollOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			exec(t, url, "ALTER TABLE stem.dead_letter SET (autovacuum_enabled = off)")
			if analyzed {
				exec(t, url, "ANALYZE")
			}
			exec(t, url, crowd(20_000)...)
			plans.take()
			operate(t, store, func(what string, most int, took time.Duration) {
				looked := 0
				for _, plan := range plans.take() {
					for _, step := range read.FindAllStringSubmatch(plan, -1) {
						rows, _ := strconv.Atoi(step[2])
						loops, _ := strconv.Atoi(step[3])
						looked += rows * loops
						if !strings.HasPrefix(step[1], "Index ") && step[1] != "Tid Scan" {
							t.Errorf("%s: got the plan\n%s\nwant none with a %s", what, plan, step[1])
						}
					}
					if strings.Contains(plan, "Rows Removed by Filter") && strings.Contains(plan, "Index Scan") {
						for _, removed := range regexp.MustCompile(`Rows Removed by Filter: (\d+)`).FindAllStringSubmatch(plan, -1) {
							if n, _ := strconv.Atoi(removed[1]); n > most {
								t.Errorf("%s: got the plan\n%s\nwant one that leaves out %d rows at most", what, plan, most)
							}
						}
					}
				}
				if looked == 0 || looked > most {
					t.Errorf("%s: got %d rows looked at, want 1 to %d", what, looked, most)
				}
			})
		})
	}
}

// crowd gives SQL that puts n rows wherever tasks can be.
func crowd(n int) []string {
	task := func(due, holder, queue, name string) string {
		return fmt.Sprintf(`INSERT INTO stem.task (due, published, holder, failures, size, priority, queue, task, envelope)
SELECT %s, now(), %s, n %% 3, 10, n %% 3, %s, %s, '\x00' FROM generate_series(1, %d) n`, due, holder, queue, name, n)
	}
	return []string{
		task("now() - n * interval '1 ms'", "NULL", "'mail'", "'demo.' || n % 2"),
		task("now() + interval '1 hour' + n * interval '1 ms'", "NULL", "'mail'", "'demo.' || n % 2"),
		task("now()", "0", "'mail'", "'demo.' || n % 50"),
		task("now()", "1 + n % 40", "'q' || n % 7", "'demo.hello'"),
		fmt.Sprintf(`INSERT INTO stem.dead_letter SELECT 'mail', now() - n * interval '1 ms', n, n, 'demo.hello', '', 1, 1, NULL, '\x00' FROM generate_series(1, %d) n`, n),
		fmt.Sprintf(`INSERT INTO stem.result SELECT n, 1, now() + interval '1 hour', true, '\x00' FROM generate_series(1, %d) n`, n),
		`INSERT INTO stem.session (id, lease, lapses, leaving) SELECT n, 1000000, now() + interval '1 hour', false FROM generate_series(1, 100) n`,
	}
}

// operate does all that an operator can on what crowd has made, and tells of each call how many rows it may look at at most and how
// long it took.
func operate(t *testing.T, store *postgres.Store, did func(what string, most int, took time.Duration)) {
	ctx := t.Context()
	call := func(what string, most int, f func() error) {
		t.Helper()
		begun := time.Now()
		if err := f(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		did(what, most, time.Since(begun))
	}
	// Each row is looked at where it is in line, to tell whether it is wanted, and once more if it is answered. A session is looked up for each that is held.
	const page = 2*1000 + 2*500 + 100
	var waits []ops.Task
	for _, state := range ops.States {
		q := ops.TaskQuery{Queue: "mail", State: state, Limit: ops.MaxPage}
		if state == ops.Running {
			q.Queue = "q1"
		}
		for range 3 {
			call("list "+string(state), page, func() error {
				p, err := store.ListTasks(ctx, q)
				if err == nil && (len(p.Tasks) == 0 || p.Next == "") {
					t.Errorf("%s: got %d tasks and the cursor %q, want more", state, len(p.Tasks), p.Next)
				}
				if state != ops.Running {
					waits = append(waits, p.Tasks...)
				}
				q.After = p.Next
				return err
			})
		}
		q.Task, q.ID = "demo.none", "id"
		call("search "+string(state), page, func() error {
			_, err := store.ListTasks(ctx, q)
			return err
		})
	}
	call("queues", 2000+8*14, func() error {
		queues, err := store.Queues(ctx)
		if err == nil && len(queues) != 8 {
			t.Errorf("got the queues %v, want 8", queues)
		}
		return err
	})
	call("gauge", 2*10_000+10, func() error {
		g, err := store.GaugeQueue(ctx, "mail")
		if err == nil && (g.Oldest <= 0 || g.Retrying == 0) {
			t.Errorf("got %v, want an age and retries", g)
		}
		return err
	})
	var letters []ops.DeadLetter
	dead := ops.DeadLetterQuery{Queue: "mail", Limit: ops.MaxPage}
	for range 2 {
		call("list dead letters", page, func() error {
			p, err := store.ListDeadLetters(ctx, dead)
			letters, dead.After = p.Letters, p.Next
			return err
		})
	}
	call("remove dead letters", 3*500, func() error { return store.RemoveDeadLetters(ctx, "mail", letters...) })
	call("delete", 4*500, func() error { return store.DeleteTasks(ctx, waits[:500]...) })
	last := waits[len(waits)-1]
	for i := range waits {
		if waits[i].State == ops.Retrying {
			last = waits[i]
		}
	}
	call("hasten", 4, func() error { return store.HastenTasks(ctx, last) })
}
