package adapters_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/gostem/gostem/adapters"
)

// What FromEnv refuses it refuses in words that anybody may see; what it takes it tells of as it was said.
func FuzzFromEnv(f *testing.F) {
	for _, seed := range [][2]string{
		{"BROKER_URL", "redis://localhost:6379/1"}, {"RESULT_BACKEND_URL", "memory:"}, {"WORKER_NAMESPACE", "pg_stem"}, {"WORKER_QUEUES", "mail,bulk"},
		{"WORKER_CONCURRENCY", "100001"}, {"PREFETCH_MULTIPLIER", "1"}, {"HEARTBEAT_INTERVAL", "1h"}, {"LOG_FORMAT", "json"}, {"LOG_LEVEL", "warn"},
		{"TLS_ALLOW_INSECURE", "true"}, {"DEFAULT_QUEUE", "a b"}, {"DEFAULT_BACKOFF", "exp(1s,5m)"}, {"WORKER_QUEUE", "a slip"}, {"SERVICE_HOST", "\x1b[2J"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if strings.Contains(name+text, "\x00") || name == "TLS_CA_CERT" || name == "TLS_CLIENT_CERT" || name == "TLS_CLIENT_KEY" {
			return // no environment has the first, and the others name files
		}
		name = "STEM_" + name
		cfg, err := adapters.FromEnv([]string{name + "=" + text})
		if err != nil {
			if strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", " "), unicode.IsControl) {
				t.Fatalf("got %q, want what can be shown", err)
			}
			return
		}
		name, value, _ := strings.Cut(name+"="+text, "=")
		said := func(s adapters.Source) bool { return s.Variable == name && s.From != "" }
		sources := cfg.Sources()
		switch i := slices.IndexFunc(sources, said); {
		case i < 0 && !slices.Contains(cfg.Unknown(), name):
			t.Errorf("%s is neither known nor unknown", name)
		case i >= 0 && sources[i].Value != value && sources[i].Value != adapters.MaskURL(value):
			t.Errorf("%s: got %q, want %q", name, sources[i].Value, value)
		}
	})
}

// Whatever stands around a password in a URL, it is not shown: neither by MaskURL nor by what FromEnv says of the URL.
func FuzzPasswordsAreNotShown(f *testing.F) {
	f.Add("redis", "user", "host:6379/0")
	f.Add("postgres", "", "[::1]:5432,b/stem?sslmode=disable")
	f.Add("nats", "a@b", "host")
	f.Add("redis", "a/b?c#d", "e@f:g")
	f.Fuzz(func(t *testing.T, scheme, user, rest string) {
		const secret = "hunter2"
		if strings.Contains(scheme+user+rest, secret) {
			return
		}
		for _, url := range []string{
			scheme + "://" + user + ":" + secret + "@" + rest, user + ":" + secret + "@" + rest, scheme + "://" + rest + "?" + user + "&password=" + secret,
		} {
			if shown := adapters.MaskURL(url); strings.Contains(shown, secret) {
				t.Errorf("%q is shown as %q", url, shown)
			}
			cfg, err := adapters.FromEnv([]string{"STEM_BROKER_URL=" + url})
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q is refused with %q", url, err)
			}
			for _, s := range cfg.Sources() {
				if strings.Contains(s.Value, secret) {
					t.Errorf("%q is told as %q", url, s.Value)
				}
			}
		}
	})
}
