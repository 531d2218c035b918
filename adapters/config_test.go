package adapters_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/internal/testcert"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// effects show what each variable does: the values beside a function are set, and a broker in memory unless one is among them.
var effects = map[string][]effect{
	"STEM_BROKER_URL": {{"", func(t *testing.T, env []string) {
		stores := opened(t, append(env, "STEM_BROKER_URL="+testredis.URL(t)))
		if got := fmt.Sprintf("%T %T", stores.Broker, stores.Backend); got != "*redis.Store *redis.Store" {
			t.Errorf("got %s, want the store of the URL for tasks and for results", got)
		}
		if err := carries(t.Context(), stores); err != nil {
			t.Error(err)
		}
	}}},
	"STEM_RESULT_BACKEND_URL": {{"", func(t *testing.T, env []string) {
		stores := opened(t, append(env, "STEM_RESULT_BACKEND_URL="+testredis.URL(t)))
		if got := fmt.Sprintf("%T %T", stores.Broker, stores.Backend); got != "*memory.Store *redis.Store" {
			t.Errorf("got %s, want tasks in memory and results in Redis", got)
		}
		if err := carries(t.Context(), stores); err != nil {
			t.Error(err)
		}
	}}},
	"STEM_REVOKE_STORE_URL": {{"", func(t *testing.T, env []string) {
		cfg := configured(t, append(env, "STEM_REVOKE_STORE_URL="+testredis.URL(t)))
		stores := openedBy(t, cfg)
		client, err := stem.NewClient(stores.Broker, cfg.ClientConfig(stores))
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Revoke(t.Context(), "revocations_of_a_test", "id"); err != nil {
			t.Fatal(err)
		}
		other := opened(t, []string{"STEM_BROKER_URL=" + testredis.URL(t)})
		revoked := stem.Delivery{Envelope: &stem.Envelope{ID: "id", Queue: "revocations_of_a_test"}}
		if notices, err := other.Revocations.Revoked(t.Context(), revoked); len(notices) != 1 || err != nil {
			t.Errorf("got %v, error %v, want a revocation in Redis", notices, err)
		}
	}}},
	"STEM_WORKER_NAMESPACE": {{"of_a_test", func(t *testing.T, env []string) {
		server := testredis.Start(t, testredis.Config{})
		stores := opened(t, append(env, "STEM_BROKER_URL="+server.URL()))
		if err := carries(t.Context(), stores); err != nil {
			t.Fatal(err)
		}
		if all, err := server.Do("KEYS", "*"); err != nil || len(all.([]any)) == 0 || !strings.HasPrefix(fmt.Sprint(all.([]any)[0]), "of_a_test:") {
			t.Errorf("got the keys %v, error %v, want all of them to begin with the namespace", all, err)
		}
	}}, {"of_a_test", func(t *testing.T, env []string) {
		url := testpostgres.URL(t)
		_ = opened(t, append(env, "STEM_BROKER_URL="+url))
		for namespace, exists := range map[string]bool{"of_a_test": true, "stem": false} {
			if got := hasSchema(t, url, namespace); got != exists {
				t.Errorf("schema %s: got %v, want %v", namespace, got, exists)
			}
		}
	}}},
	"STEM_WORKER_QUEUES": {{"mail, bulk", func(t *testing.T, env []string) {
		if got := running(t, env)[0].Queues; !slices.Equal(got, []string{"mail", "bulk"}) {
			t.Errorf("got a worker of %v, want one of mail and bulk", got)
		}
	}}},
	"STEM_WORKER_CONCURRENCY": {{"7", func(t *testing.T, env []string) {
		if got := running(t, env)[0].Slots; got != 7 {
			t.Errorf("got a worker that runs %d tasks at once, want 7", got)
		}
	}}},
	"STEM_PREFETCH_MULTIPLIER": {{"3", func(t *testing.T, env []string) {
		if got := running(t, append(env, "STEM_WORKER_CONCURRENCY=2", "STEM_HEARTBEAT_INTERVAL=1s"))[0]; got.InHand != 6 || got.RunningCount != 2 {
			t.Errorf("got %d in hand, of which %d run, want 3 times as many as the 2 that run", got.InHand, got.RunningCount)
		}
	}}},
	"STEM_HEARTBEAT_INTERVAL": {{"13s", func(t *testing.T, env []string) {
		if seen := running(t, env); seen[2].Up-seen[1].Up != 13*time.Second {
			t.Errorf("got a worker that was heard of %v after its start and then %v, want 13 s between them", seen[1].Up, seen[2].Up)
		}
	}}},
	"STEM_LOG_FORMAT": {{"json", func(t *testing.T, env []string) {
		var line struct{ Msg, Level string }
		if text := logged(t, env, slog.LevelInfo); json.Unmarshal([]byte(text), &line) != nil || line.Msg != "a line" || line.Level != "INFO" {
			t.Errorf("got %q, want a line of JSON", text)
		}
	}}, {"text", func(t *testing.T, env []string) {
		if text := logged(t, env, slog.LevelInfo); !strings.Contains(text, `level=INFO msg="a line"`) {
			t.Errorf("got %q, want a line of text", text)
		}
	}}},
	"STEM_LOG_LEVEL": {{"warn", func(t *testing.T, env []string) {
		if text := logged(t, env, slog.LevelInfo); text != "" {
			t.Errorf("got %q for information, want nothing", text)
		}
		if text := logged(t, env, slog.LevelWarn); text == "" {
			t.Error("got nothing for a warning, want a line")
		}
	}}, {"debug", func(t *testing.T, env []string) {
		if text := logged(t, env, slog.LevelDebug); text == "" {
			t.Error("got nothing for a detail, want a line")
		}
	}}},
	// The servers let nobody in without TLS and a certificate of their authority.
	"STEM_TLS_CA_CERT":        secured("STEM_TLS_CA_CERT"),
	"STEM_TLS_CLIENT_CERT":    secured("STEM_TLS_CLIENT_CERT"),
	"STEM_TLS_CLIENT_KEY":     secured("STEM_TLS_CLIENT_KEY"),
	"STEM_TLS_ALLOW_INSECURE": secured("STEM_TLS_ALLOW_INSECURE"),
	"STEM_DEFAULT_QUEUE": {{"bulk", func(t *testing.T, env []string) {
		if got := enqueued(t, env).Queue; got != "bulk" {
			t.Errorf("got a task in queue %s, want bulk", got)
		}
		if got := running(t, env)[0].Queues; !slices.Equal(got, []string{"bulk"}) {
			t.Errorf("got a worker of %v, want one of the queue where tasks go", got)
		}
	}}},
	"STEM_DEFAULT_PRIORITY":     {wants("4", func(e stem.Envelope) any { return e.Priority }, 4)},
	"STEM_DEFAULT_MAX_RETRIES":  {wants("11", func(e stem.Envelope) any { return e.MaxRetries }, 11)},
	"STEM_DEFAULT_RETRY_FOR":    {wants("6h", func(e stem.Envelope) any { return e.RetryFor }, 6*time.Hour)},
	"STEM_DEFAULT_BACKOFF":      {wants("fixed(10s)", func(e stem.Envelope) any { return e.Backoff }, stem.FixedBackoff(10*time.Second))},
	"STEM_DEFAULT_TIMEOUT":      {wants("31s", func(e stem.Envelope) any { return e.Timeout }, 31*time.Second)},
	"STEM_DEFAULT_SOFT_TIMEOUT": {wants("21s", func(e stem.Envelope) any { return e.SoftTimeout }, 21*time.Second)},
	"STEM_DEFAULT_EXPIRES":      {wants("1h", func(e stem.Envelope) any { return e.ExpiresIn }, time.Hour)},
	"STEM_DEFAULT_VISIBILITY":   {wants("10m", func(e stem.Envelope) any { return e.Visibility }, 10*time.Minute)},
	"STEM_DEFAULT_KEEP_RESULT":  {wants("48h", func(e stem.Envelope) any { return e.KeepResult }, 48*time.Hour)},
}

// secured are the effects of a variable that says something of TLS, alike for Redis and PostgreSQL.
func secured(variable string) []effect {
	return []effect{{"", func(t *testing.T, _ []string) {
		server, set := testredis.TLS(t)
		showTLS(t, server.URL(), set, variable)
	}}, {"", func(t *testing.T, _ []string) {
		server, set := testpostgres.MutualTLS(t)
		bare, _, _ := strings.Cut(server.URL(), "?")
		showTLS(t, bare, set, variable)
	}}}
}

// showTLS opens a store that asks for a certificate of the set, with all variables and with one of them wrong.
func showTLS(t *testing.T, url string, set *testcert.Set, variable string) {
	stranger := testcert.New(t, "postgres")
	right := map[string]string{"STEM_BROKER_URL": url, "STEM_TLS_CA_CERT": set.CA, "STEM_TLS_CLIENT_CERT": set.ClientCert, "STEM_TLS_CLIENT_KEY": set.ClientKey}
	for _, tt := range []struct {
		promise string
		change  map[string]string
		opens   bool
	}{
		{"the certificates fit", nil, true},
		{"the server is of another authority", map[string]string{"STEM_TLS_CA_CERT": stranger.CA}, false},
		{"nobody looks of which authority it is", map[string]string{"STEM_TLS_CA_CERT": "", "STEM_TLS_ALLOW_INSECURE": "true"}, true},
		{"somebody looks", map[string]string{"STEM_TLS_CA_CERT": "", "STEM_TLS_ALLOW_INSECURE": "false"}, false},
		{"the program has no certificate", map[string]string{"STEM_TLS_CLIENT_CERT": "", "STEM_TLS_CLIENT_KEY": ""}, false},
		{"the program has one of another authority", map[string]string{"STEM_TLS_CLIENT_CERT": stranger.ClientCert, "STEM_TLS_CLIENT_KEY": stranger.ClientKey}, false},
	} {
		if _, ok := tt.change[variable]; !ok && tt.change != nil {
			continue
		}
		env := maps.Clone(right)
		maps.Copy(env, tt.change)
		maps.DeleteFunc(env, func(_, text string) bool { return text == "" })
		cfg, err := adapters.Configure(adapters.Layer{Name: "test", Values: env})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Log = slog.New(slog.DiscardHandler)
		stores, err := cfg.Open(t.Context())
		if tt.opens != (err == nil) {
			t.Errorf("%s: got %v, want it to open: %v", tt.promise, err, tt.opens)
		}
		if err == nil {
			if err := carries(t.Context(), stores); err != nil {
				t.Errorf("%s: %v", tt.promise, err)
			}
		}
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	}
}

type effect struct {
	value string
	shows func(t *testing.T, env []string)
}

// wants is the effect of a default on a task that is enqueued.
func wants(value string, field func(stem.Envelope) any, want any) effect {
	return effect{value, func(t *testing.T, env []string) {
		if got := field(enqueued(t, env)); !cmp.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}}
}

func TestEachVariableHasItsEffect(t *testing.T) {
	cfg := configured(t, nil)
	for _, s := range cfg.Sources() {
		if len(effects[s.Variable]) == 0 {
			t.Errorf("%s has no case that shows what it does", s.Variable)
		}
		for _, e := range effects[s.Variable] {
			t.Run(s.Variable+"="+e.value, func(t *testing.T) {
				env := []string{"STEM_BROKER_URL=memory:"}
				if e.value != "" {
					env = append(env, s.Variable+"="+e.value)
				}
				e.shows(t, env)
			})
		}
	}
}

func configured(t *testing.T, env []string) *adapters.Config {
	t.Helper()
	cfg, err := adapters.FromEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

func opened(t *testing.T, env []string) adapters.Stores {
	t.Helper()
	return openedBy(t, configured(t, env))
}

func openedBy(t *testing.T, cfg *adapters.Config) adapters.Stores {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	stores, err := cfg.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return stores
}

// logged gives what a logger writes of a line.
func logged(t *testing.T, env []string, level slog.Level) string {
	t.Helper()
	var text bytes.Buffer
	configured(t, env).Logger(&text).Log(t.Context(), level, "a line")
	return text.String()
}

// enqueued gives a task that a client has enqueued, as a worker receives it.
func enqueued(t *testing.T, env []string) (e stem.Envelope) {
	t.Helper()
	cfg := configured(t, env)
	stores := openedBy(t, cfg)
	client, err := stem.NewClient(stores.Broker, cfg.ClientConfig(stores))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.EnqueueRaw(t.Context(), "task", []byte{0xc0}); err != nil {
		t.Fatal(err)
	}
	ds, err := stores.Broker.Receive(t.Context(), stem.ReceiveRequest{
		Session: stem.Session{ID: "session", Lease: time.Minute}, Queues: []string{"default", "bulk"}, Max: 1, MaxBytes: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *ds[0].Envelope
}

// running tells what a worker says of itself that has ten tasks which do not end, 4 s, 30 s and 43 s after its start.
func running(t *testing.T, env []string) (seen []stem.WorkerInfo) {
	t.Helper()
	cfg := configured(t, env)
	synctest.Test(t, func(t *testing.T) {
		stores := openedBy(t, cfg)
		client, err := stem.NewClient(stores.Broker, cfg.ClientConfig(stores))
		if err != nil {
			t.Fatal(err)
		}
		var tasks stem.Registry
		err = tasks.Register(stem.TaskSpec{Name: "wait"}, func(ctx context.Context, _ *stem.Delivery) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		worker, err := stem.NewWorker(client, &tasks, cfg.WorkerConfig())
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err := client.EnqueueRaw(t.Context(), "wait", []byte{0xc0}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- worker.Run(ctx) }()
		for _, wait := range []time.Duration{4 * time.Second, 26 * time.Second, 13 * time.Second} {
			time.Sleep(wait)
			synctest.Wait()
			workers, err := client.Workers(t.Context())
			if err != nil || len(workers) != 1 {
				t.Fatalf("got the workers %v, error %v, want one", workers, err)
			}
			seen = append(seen, workers[0])
		}
		worker.Stop(stem.StopHard)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return seen
}

// hasSchema reports whether a database has a schema.
func hasSchema(t *testing.T, url, name string) bool {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var there bool
	if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", name).Scan(&there); err != nil {
		t.Fatal(err)
	}
	return there
}
