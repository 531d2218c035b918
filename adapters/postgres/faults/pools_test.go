//go:build unix

package faults_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/faultnet"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// newPool makes a pool that ends with the test.
func newPool(t *testing.T, url string, adjust func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	adjust(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// run runs a worker in the test's own process until the answer is called.
func run(t *testing.T, store faultsite.Store, registry *stem.Registry, cfg stem.WorkerConfig) (stop func()) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := stem.NewWorker(client, registry, cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- worker.Run(context.WithoutCancel(t.Context())) }()
	stop = sync.OnceFunc(func() {
		worker.Stop(stem.StopWarm)
		if err := <-done; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Two hundred handlers have two connections between them. The worker renews its lease and settles all the same, by a pool of two of
// its own, and also by the very pool of the handlers.
func TestAPoolOfTwoWillDo(t *testing.T) {
	t.Parallel()
	const slots, tasks = 200, 600
	for what, shared := range map[string]bool{"the store has a pool of its own": false, "the store has the handlers' pool": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			own := database.URL(t)
			s := newSite(t, own)
			pool := newPool(t, own, func(cfg *pgxpool.Config) { cfg.MaxConns = 2 })
			open := func() (*postgres.Store, error) {
				if shared {
					return postgres.New(t.Context(), pool, postgres.Config{})
				}
				return postgres.Open(t.Context(), own, postgres.Config{PoolSize: 2})
			}
			store, err := open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			registry := new(stem.Registry)
			err = stem.Handle(registry, faultsite.Chore, func(ctx context.Context, _ string) (string, error) {
				_, err := pool.Exec(ctx, "SELECT pg_sleep(0.005)")
				return "", err
			})
			if err != nil {
				t.Fatal(err)
			}
			s.EnqueueAll(tasks, faultsite.Chore, "chore", "1ms")
			var told faultsite.Told
			stop := run(t, store, registry, stem.WorkerConfig{Slots: slots, Observer: &told})
			s.Quiet()
			stop()
			if got, lost := told.Succeeded.Load(), told.Lost.Load(); got != tasks || lost > 0 {
				t.Errorf("got %d tasks done and %d leases lost, want %d and none", got, lost, tasks)
			}
			s.NoneDead()
		})
	}
}

const mostConnections = 20

// A server lets nobody in: others have all its connections. A worker that has lost its own waits without spinning, and goes on when
// there is room.
func TestAServerTakesNoMoreConnections(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{Settings: []string{fmt.Sprint("max_connections=", mostConnections)}})
	s := newSite(t, server.URL())
	store, err := open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	var told faultsite.Told
	stop := run(t, store, s.Registry(), stem.WorkerConfig{Slots: 4, Observer: &told})
	s.EnqueueAll(20, faultsite.Chore, "before", "1ms")
	s.Quiet()
	leave := crowd(t, s, server.URL())
	began := time.Now()
	s.Until("a worker without room has failed", faultsite.Patience, func() bool { return told.Failed.Load() >= 4 })
	faultsite.Yield(2 * time.Second)
	took, failed, recovered := time.Since(began), told.Failed.Load(), told.Recovered.Load()
	if most := 12 + int64(took/(400*time.Millisecond)); failed > most || recovered != 0 {
		t.Errorf("got %d failures and %d recoveries in %v without room, want %d at most and none", failed, recovered, took, most)
	}
	leave()
	s.EnqueueAll(20, faultsite.Chore, "after", "1ms")
	s.Quiet()
	s.Until("the worker says that the server answers again", faultsite.Patience, func() bool { return told.Recovered.Load() > 0 })
	stop()
	if got := told.Succeeded.Load(); got != 40 {
		t.Errorf("got %d tasks done, want 40", got)
	}
}

// crowd takes all connections that a server has, those of others too, until the answer is called.
func crowd(t *testing.T, s *faultsite.Site, url string) (leave func()) {
	t.Helper()
	var all []*pgconn.PgConn
	leave = sync.OnceFunc(func() {
		for _, c := range all {
			_ = c.Close(context.Background())
		}
	})
	t.Cleanup(leave)
	s.Until("nobody else is connected", faultsite.Patience, func() bool {
		for {
			c, err := pgconn.Connect(t.Context(), url+"&application_name=crowd")
			if err != nil {
				break // there is no room
			}
			all = append(all, c)
		}
		ended, err := all[0].Exec(t.Context(), terminate+" AND application_name <> 'crowd'").ReadAll()
		// A connection that is ended lets go of its room a moment after it is seen no more.
		return err == nil && len(ended[0].Rows) == 0 && len(all) == mostConnections
	})
	return leave
}

// The connection that listens is one that a network has forgotten: nobody hears what is announced, and no error tells. Tasks are found by
// polls meanwhile, and the connection is replaced.
func TestTheConnectionThatListensIsForgotten(t *testing.T) {
	t.Parallel()
	own := database.URL(t)
	s := newSite(t, own)
	pool, hole := listensThrough(t, s, own)
	store, err := postgres.New(t.Context(), pool, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	const listeners = "SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database() "
	s.Until("the store listens", faultsite.Patience, func() bool { return len(query(t, own, listeners)) == 2 }) // and that of the site
	hole.Set(faultnet.Faults{BlackHole: true})
	began, clock := time.Now(), query(t, own, "SELECT clock_timestamp()")[0][0]
	for i := range 5 {
		faultsite.Yield(100 * time.Millisecond)
		id := fmt.Sprint("chore-", i)
		receiving := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), faultsite.Patience)
			defer cancel()
			_, err := store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "deaf", Lease: time.Minute}, Queues: []string{stem.DefaultQueue}, Max: 1})
			receiving <- err
		}()
		faultsite.Yield(100 * time.Millisecond) // it waits
		enqueued := time.Now()
		if err := s.Enqueue(t.Context(), faultsite.Chore, id, "1ms"); err != nil {
			t.Fatal(err)
		}
		if err := <-receiving; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(enqueued); took > time.Second {
			t.Errorf("a task was found after %v, want a second at most", took)
		}
	}
	s.Until("the connection is replaced", 30*time.Second-time.Since(began), func() bool {
		return len(query(t, own, listeners+"AND backend_start > '"+clock+"'")) == 1
	})
	t.Logf("the connection was replaced after %v", time.Since(began))
}

// listensThrough makes a pool whose connections go to the server, and that lets who connects beside it go through a proxy once.
func listensThrough(t *testing.T, s *faultsite.Site, url string) (*pgxpool.Pool, *faultnet.Proxy) {
	t.Helper()
	var dials atomic.Int64
	var proxy *faultnet.Proxy
	pool := newPool(t, url, func(cfg *pgxpool.Config) {
		proxy = faultnet.Start(t, net.JoinHostPort(cfg.ConnConfig.Host, fmt.Sprint(cfg.ConnConfig.Port)), s.Random.Uint64())
		cfg.MaxConns = 2
		cfg.MaxConnIdleTime, cfg.MaxConnLifetime = time.Hour, time.Hour
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) == 3 { // the two of the pool are there
				addr = proxy.Addr()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	var both [2]*pgxpool.Conn
	for i := range both {
		var err error
		if both[i], err = pool.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range both {
		c.Release()
	}
	return pool, proxy
}

// PgBouncer, in transaction mode, is killed under load and comes back.
func TestPgBouncerIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, server.URL(), "default_pool_size=6")
	underBooked(t, bouncer.URL(server.URL())+"&default_query_exec_mode=cache_describe", ledger.Expected{}, func(s *faultsite.Site) {
		for range 3 {
			s.Progress(1 + s.Random.IntN(100))
			bouncer.Kill()
			faultsite.Yield(300 * time.Millisecond)
			bouncer.Restart()
		}
		s.Progress(50)
	})
}
