package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// said collects what a store logs.
type said struct{ bytes.Buffer }

func (s *said) config() redis.Config {
	return redis.Config{Namespace: "boot", Logger: slog.New(slog.NewTextHandler(s, nil))}
}

// warnings gives the warnings alone.
func (s *said) warnings() []string {
	var lines []string
	for line := range strings.Lines(s.String()) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return lines
}

// openURL opens a store of a URL and closes it.
func openURL(t *testing.T, url string, cfg redis.Config) error {
	t.Helper()
	store, err := redis.Open(t.Context(), url, cfg)
	if err != nil {
		return err
	}
	return store.Close()
}

// wantError fails the test unless the error has all parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want one with %q", err, part)
		}
	}
}

func TestAServerThatWouldEvictTasksIsRefused(t *testing.T) {
	s := testredis.Start(t, testredis.Config{MaxMemory: "50mb", Policy: "allkeys-lru"})
	wantError(t, openURL(t, s.URL(), redis.Config{}), s.Addr(), "allkeys-lru", "CONFIG SET maxmemory-policy noeviction")
	if _, err := s.Do("CONFIG", "SET", "maxmemory-policy", "noeviction"); err != nil {
		t.Fatal(err)
	}
	if err := openURL(t, s.URL(), redis.Config{}); err != nil {
		t.Errorf("after the command that the error names: %v", err)
	}
}

func TestAPolicyWithoutALimitEvictsNothing(t *testing.T) {
	s := testredis.Start(t, testredis.Config{Policy: "allkeys-lru"})
	if err := openURL(t, s.URL(), redis.Config{}); err != nil {
		t.Error(err)
	}
}

func TestAWorkerOfAFullServerMakesRoom(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	publish := func(id string) error {
		_, err := store.Publish(t.Context(), stem.Envelope{ID: id, Task: "demo.hello", Queue: "default"})
		return err
	}
	if err := publish("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	if err := publish("b"); !errors.Is(stem.ItemErr(err, 0), stem.ErrBackpressure) {
		t.Errorf("a publish: got %v, want %v", err, stem.ErrBackpressure)
	}
	worker, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatalf("a worker that begins now: %v", err)
	}
	defer worker.Close()
	ds, err := worker.Receive(t.Context(), stem.ReceiveRequest{
		Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"default"}, Max: 10,
		Tasks: stem.NewTaskSet(stem.TaskSpec{Name: "demo.hello"}),
	})
	if err != nil || len(ds) != 1 || ds[0].ID != "a" {
		t.Fatalf("got %v, %v, want what was published when there was room", ds, err)
	}
	result := &stem.Result{ID: "a", Task: "demo.hello", State: stem.StateSucceeded, Delivery: ds[0].Number, Keep: time.Hour}
	err = worker.SaveAndSettle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck, Result: result})
	if err != nil {
		t.Errorf("its settlement: %v", err)
	}
	if _, err := worker.Extend(t.Context(), stem.Session{ID: "s", Lease: time.Minute}); err != nil {
		t.Errorf("its renewal: %v", err)
	}
}

func TestTheDurabilityClassIsToldOnce(t *testing.T) {
	for _, tt := range []struct {
		promise, want string
		cfg           testredis.Config
		warns         bool
	}{
		{"nothing on disk", "durability=memory", testredis.Config{}, true},
		{"snapshots", "since the last one is lost", testredis.Config{Args: []string{"--save", "3600 1"}}, true},
		{"synced now and then", `durability="process-crash safe"`, testredis.Config{AppendOnly: true, AppendFsync: "everysec"}, false},
		{"synced by the system", `durability="process-crash safe"`, testredis.Config{AppendOnly: true, AppendFsync: "no"}, false},
		{"synced always", `durability="power-loss safe"`, testredis.Config{AppendOnly: true, AppendFsync: "always"}, false},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			var log said
			if err := openURL(t, testredis.Start(t, tt.cfg).URL(), log.config()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(log.String(), "durability="); got != 1 || !strings.Contains(log.String(), tt.want) {
				t.Errorf("got %d times a class in\n%s\nwant it once, with %s", got, log.String(), tt.want)
			}
			if got := len(log.warnings()); (got > 0) != tt.warns {
				t.Errorf("got %d warnings in\n%s\nwant any: %v", got, log.String(), tt.warns)
			}
		})
	}
}

func TestAReplicaIsRefused(t *testing.T) {
	master := testredis.Start(t, testredis.Config{})
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := testredis.Start(t, testredis.Config{Args: []string{"--replicaof", host, port}})
	wantError(t, openURL(t, replica.URL(), redis.Config{}), replica.Addr()+" is a replica", "connect to its master")
}

func TestAServerAndAClusterAreToldApart(t *testing.T) {
	t.Parallel()
	c := testredis.Cluster(t, 3)
	node := c.Servers[0]
	wantError(t, openURL(t, node.URL(), redis.Config{}), node.Addr()+" is a node of a cluster", "NewCluster", "OpenCluster")

	_, err := redis.OpenCluster(t.Context(), testredis.URL(t), redis.Config{})
	wantError(t, err, "the server is no cluster", "New")

	var log said
	store, err := redis.OpenCluster(t.Context(), node.URL()+"?addr="+c.Servers[1].Addr(), log.config())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got := log.warnings(); len(got) != 1 || !strings.Contains(got[0], "durability=memory") {
		t.Errorf("got %q, want the one warning that is true of all three nodes, once", got)
	}
	if _, err := c.Servers[2].Do("CONFIG", "SET", "maxmemory", "50mb", "maxmemory-policy", "allkeys-lru"); err != nil {
		t.Fatal(err)
	}
	_, err = redis.OpenCluster(t.Context(), node.URL(), redis.Config{})
	wantError(t, err, c.Servers[2].Addr(), "would evict tasks")
}

func TestASentinelIsRefusedAndItsMasterIsNot(t *testing.T) {
	t.Parallel()
	w := testredis.Sentinel(t)
	wantError(t, openURL(t, "redis://"+w.SentinelAddrs()[0], redis.Config{}), "is a Sentinel", "redis.NewFailoverClient")
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{
		MasterName: w.MasterName(), SentinelAddrs: w.SentinelAddrs(), MaxRetries: -1, ContextTimeoutEnabled: true,
	})
	defer client.Close()
	store, err := redis.New(t.Context(), client, redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_ = store.Close()
}

func TestAClientThatRepeatsIsWarnedAbout(t *testing.T) {
	options, err := goredis.ParseURL(testredis.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, retries := range []int{0, 2, -1} {
		options := *options
		options.MaxRetries = retries
		client := goredis.NewClient(&options)
		var log said
		store, err := redis.New(t.Context(), client, log.config())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = store.Close(), client.Close()
		if got, want := strings.Count(log.String(), "set MaxRetries: -1"), 1; retries != -1 && got != want || retries == -1 && got != 0 {
			t.Errorf("MaxRetries %d: got\n%s\nwant a warning unless it is -1", retries, log.String())
		}
	}
	options.ReadTimeout, options.MaxRetries = -1, -1
	client := goredis.NewClient(options)
	defer client.Close()
	var log said
	store, err := redis.New(t.Context(), client, log.config())
	if err != nil {
		t.Fatal(err)
	}
	_ = store.Close()
	if !strings.Contains(log.String(), "ContextTimeoutEnabled: true") {
		t.Errorf("no timeout at all: got\n%s\nwant a warning", log.String())
	}
}

func TestAClientThatReadsFromReplicasIsRefused(t *testing.T) {
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, RouteByLatency: true})
	defer client.Close()
	_, err := redis.NewCluster(t.Context(), client, redis.Config{})
	wantError(t, err, "reads from replicas", "RouteByLatency")
}

func TestRightsThatAreMissingAreNamedWithTheWayOut(t *testing.T) {
	s := testredis.WithACL(t, "~boot:*", "&boot:*", "+@all", "-xreadgroup", "-hset", "-zadd")
	var log said
	err := openURL(t, s.URL(), log.config())
	wantError(t, err, "user limited has no right to hset, xreadgroup, zadd:")
	if err == nil {
		t.FailNow()
	}
	grant := regexp.MustCompile(`ACL SETUSER .*`).FindString(err.Error())
	if _, err := s.Do(strings.Fields(grant)...); err != nil {
		t.Fatalf("%s: %v", grant, err)
	}
	if err := openURL(t, s.URL(), log.config()); err != nil {
		t.Errorf("after the command that the error names: %v", err)
	}

	for _, tt := range []struct {
		rules []string
		want  string
	}{
		{[]string{"~other:*", "&boot:*", "+@all"}, "no right to the keys boot:*:"},
		{[]string{"~boot:*", "+@all"}, "no right to the channel boot:results:"},
		{[]string{"~boot:*", "&boot:*", "+@all", "-eval", "-evalsha"}, "no right to eval, evalsha:"},
		{[]string{"~boot:*", "&boot:*", "+@all", "-xgroup"}, "no right to xgroup|create, xgroup|delconsumer:"},
	} {
		wantError(t, openURL(t, testredis.WithACL(t, tt.rules...).URL(), log.config()), tt.want)
	}
}

func TestRightsThatTheStoreCanDoWithoutAreWarnedAbout(t *testing.T) {
	s := testredis.WithACL(t, "~boot:*", "&boot:*", "+@all", "-info", "-config", "-client|unblock", "-subscribe")
	var log said
	store, err := redis.Open(t.Context(), s.URL(), log.config())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	got := log.warnings()
	for _, want := range []string{"INFO is refused", "CLIENT UNBLOCK is refused", "SUBSCRIBE is refused"} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("got %q, want a warning that %s", got, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %d warnings, want 3: %q", len(got), got)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"q"}, Max: 1})
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
		t.Errorf("a receive that was cancelled after 0.1 s: got %v after %v, want its end long before that of a read, which is 10 s", err, took)
	}
}

// TestTheRightsAreThoseThatTheScriptsNeed keeps the list true to the scripts. That it is enough besides the contract shows, which
// runs as a user with these rights alone.
func TestTheRightsAreThoseThatTheScriptsNeed(t *testing.T) {
	listed := redis.Rights()
	command := regexp.MustCompile(`(?:redis\.p?call|grouped)\('([A-Z]+)'(?:, '([A-Z]+)')?`)
	scripts := os.DirFS("lua")
	files, err := fs.Glob(scripts, "*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(scripts, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range command.FindAllStringSubmatch(string(text), -1) {
			name := strings.ToLower(match[1])
			if name == "xgroup" || name == "xinfo" {
				name += "|" + strings.ToLower(match[2])
			}
			if !slices.Contains(listed, name) {
				t.Errorf("%s calls %s: add it to the probes in rights.go", file, name)
			}
		}
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	const secret = "hunter2"
	var log said
	server := testredis.Start(t, testredis.Config{})
	if _, err := server.Do("CONFIG", "SET", "requirepass", "another"); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"redis://user:" + secret + "@" + server.Addr(),          // refused by the server
		"redis://user:" + secret + "@127.0.0.1:1",               // nobody is there
		"redis://user:" + secret + "@127.0.0.1:port",            // no port
		"redis://user:" + secret + "%zz@127.0.0.1:1",            // a bad escape
		"redis://user:" + secret + "/" + secret + "@127.0.0.1",  // not escaped
		"redis://user:12/" + secret + "@127.0.0.1:1",            // not escaped, and a port before it
		"redis://user:12?" + secret + "@127.0.0.1:1",            //
		"redis://user:12#" + secret + "@127.0.0.1:1",            //
		"redis:user:" + secret + "@127.0.0.1:1",                 // no slashes
		"user:" + secret + "@127.0.0.1:1",                       // no scheme
		secret + "@127.0.0.1:6379",                              //
		"redis://:" + secret + "@127.0.0.1:1/x",                 // no database
		"redis://:" + secret + "@127.0.0.1:1?max_retries=3",     //
		"redis://:" + secret + "@127.0.0.1:1?dial_timeout=soon", //
	} {
		_, clusterErr := redis.OpenCluster(t.Context(), url, log.config())
		for _, err := range []error{openURL(t, url, log.config()), clusterErr} {
			if err == nil {
				t.Errorf("%s: got no error", url)
			} else if text := fmt.Sprintf("%v %+v %#v", err, err, err.Error()); strings.Contains(text, secret) {
				t.Errorf("%s: got %s, want no password", url, text)
			}
		}
	}
	if err := openURL(t, "redis://:another@"+server.Addr(), log.config()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "another") {
		t.Errorf("got the log\n%s\nwant no password", log.String())
	}
}

func TestURLsThatAreNoneSayWhatIsWanted(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://localhost/app":          "the URL begins with postgres:, want redis, rediss, unix",
		"redis://a:b@c@d:x":                 "special characters escaped",
		"redis:6379":                        "does not begin with redis:// or rediss:// or unix://: want redis://host:port",
		"localhost:6379":                    "does not begin with redis://",
		"10.0.0.1:6379/0":                   "does not begin with redis://",
		"user:password@localhost:6379":      "does not begin with redis://",
		"localhost":                         "does not begin with redis://",
		"":                                  "does not begin with redis://",
		"redis:app":                         "names no host",
		"redis://":                          "names no host",
		"redis://localhost/zero":            `invalid database number: "zero"`,
		"redis://localhost?poolsize=3":      "unexpected option: poolsize",
		"redis://localhost?max_retries=3":   "max_retries in the URL: leave it out",
		"redis://localhost/0?max_retries=3": "max_retries in the URL: leave it out",
	} {
		wantError(t, openURL(t, url, redis.Config{}), "redis: open: ", want)
	}
}

func TestASocketIsOpenedByItsPath(t *testing.T) {
	dir, err := os.MkdirTemp("", "stem") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	testredis.Start(t, testredis.Config{Args: []string{"--unixsocket", dir + "/redis.sock"}})
	if err := openURL(t, "unix://"+dir+"/redis.sock?db=1", redis.Config{}); err != nil {
		t.Error(err)
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	s := testredis.Start(t, testredis.Config{})
	s.Pause()
	defer s.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := redis.Open(ctx, s.URL(), redis.Config{})
	wantError(t, err, "redis: server "+s.Addr())
}

// TestTheGuideGrantsTheRightsThatAreNeeded keeps the documentation's ACL true.
func TestTheGuideGrantsTheRightsThatAreNeeded(t *testing.T) {
	guide, err := os.ReadFile("../../docs/adapters/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := redis.Grant("app", "stem"); !strings.Contains(string(guide), want+"\n") {
		t.Errorf("docs/adapters/redis.md does not have the line\n%s", want)
	}
}

// What the server refuses while the driver connects is what the error says.
func TestWhatIsRefusedAtTheConnectionIsTold(t *testing.T) {
	server := testredis.WithACL(t, "~*", "&*", "+@all")
	for url, want := range map[string]string{
		"redis://limited:wrong@" + server.Addr():            "WRONGPASS",
		"redis://limited:secret@" + server.Addr() + "/9999": "DB index is out of range",
	} {
		_, err := redis.Open(t.Context(), url, redis.Config{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want an error that says %s", err, want)
		}
	}
}

func TestWhoIsNotLetInIsToldWhatToDo(t *testing.T) {
	locked, plain := testredis.Start(t, testredis.Config{}), testredis.Start(t, testredis.Config{})
	if _, err := locked.Do("CONFIG", "SET", "requirepass", "another"); err != nil {
		t.Fatal(err)
	}
	secure, _ := testredis.TLS(t)
	for url, want := range map[string]string{
		"redis://" + locked.Addr():                          "server " + locked.Addr() + " wants a password: put it into the URL, redis://user:password@host:port",
		"rediss://" + plain.Addr() + "?dial_timeout=500ms":  "the server speaks no TLS there: use redis://",
		"rediss://" + locked.Addr() + "?dial_timeout=500ms": "the server speaks no TLS there: use redis://",
		"redis://" + secure.Addr():                          "the server speaks TLS there: use rediss://",
		"rediss://" + secure.Addr():                         "STEM_TLS_CA_CERT, or use Config.TLS",
		"redis://127.0.0.1:1":                               "connection refused",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			wantError(t, openURL(t, url, redis.Config{}), want)
			_, err := redis.OpenCluster(t.Context(), url, redis.Config{})
			wantError(t, err, want)
		})
	}
}

// refusal is an answer of a server.
type refusal string

func (r refusal) Error() string { return string(r) }
func (r refusal) RedisError()   {}

// Each call has a connection of its own, and one of them is refused: a store is not opened whose server has told nothing.
func TestAConnectionThatIsRefusedWhileTheRightsAreLookedAtIsTold(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	connected := 0
	client := goredis.NewClient(&goredis.Options{
		Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true, ConnMaxLifetime: time.Nanosecond,
		OnConnect: func(context.Context, *goredis.Conn) error {
			if connected++; connected > 1 {
				return refusal("ERR max number of clients reached")
			}
			return nil
		},
	})
	defer client.Close()
	_, err := redis.New(t.Context(), client, redis.Config{})
	wantError(t, err, "redis: look at the rights of user default: ERR max number of clients reached")
}
