package adapters_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/internal/testcert"
)

func TestAValueThatIsNoneIsToldWithItsVariableAndWhatIsAllowed(t *testing.T) {
	certs, others := testcert.New(t, "mary"), testcert.New(t, "mary")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const secure = "STEM_BROKER_URL=rediss://localhost"
	tests := []struct {
		env  []string
		want []string
	}{
		{[]string{"STEM_BROKER_URL=nats://me:hunter2@host/1"}, []string{`STEM_BROKER_URL "nats://me:•••@host/1"`, "want memory:, redis://, rediss://"}},
		{[]string{"STEM_BROKER_URL=localhost:6379"}, []string{"STEM_BROKER_URL", "want memory:"}},
		{[]string{"STEM_BROKER_URL="}, []string{"STEM_BROKER_URL", "want memory:"}},
		{[]string{"STEM_RESULT_BACKEND_URL=hunter2"}, []string{"STEM_RESULT_BACKEND_URL", "want memory:"}},
		{[]string{"STEM_REVOKE_STORE_URL=memory:hunter2"}, []string{"STEM_REVOKE_STORE_URL", "want memory:"}},
		{[]string{"STEM_WORKER_NAMESPACE=a:b"}, []string{`STEM_WORKER_NAMESPACE "a:b"`, "colons"}},
		{[]string{"STEM_WORKER_NAMESPACE=pg_stem"}, []string{`"pg_stem"`, "do not begin with pg_"}},
		{[]string{"STEM_WORKER_QUEUES=mail,,bulk"}, []string{`STEM_WORKER_QUEUES "mail,,bulk"`, "names of queues with commas between them"}},
		{[]string{"STEM_WORKER_QUEUES=mail,mail"}, []string{`"mail,mail"`, "each once"}},
		{[]string{"STEM_WORKER_CONCURRENCY=many"}, []string{`STEM_WORKER_CONCURRENCY "many"`, "want 1 to 100000"}},
		{[]string{"STEM_WORKER_CONCURRENCY=0"}, []string{`"0"`, "want 1 to 100000"}},
		{[]string{"STEM_WORKER_CONCURRENCY=100001"}, []string{`"100001"`}},
		{[]string{"STEM_PREFETCH_MULTIPLIER=1001"}, []string{`STEM_PREFETCH_MULTIPLIER "1001"`, "want 1 to 1000"}},
		{[]string{"STEM_HEARTBEAT_INTERVAL=10"}, []string{`STEM_HEARTBEAT_INTERVAL "10"`, "a duration from 1s to 1h"}},
		{[]string{"STEM_HEARTBEAT_INTERVAL=500ms"}, []string{`"500ms"`}},
		{[]string{"STEM_LOG_FORMAT=\x1b[2J"}, []string{`STEM_LOG_FORMAT "\x1b[2J"`, "want text or json"}},
		{[]string{"STEM_LOG_LEVEL=INFO+2"}, []string{`STEM_LOG_LEVEL "INFO+2"`, "want debug, info, warn or error"}},
		{[]string{"STEM_DEFAULT_PRIORITY=10"}, []string{`STEM_DEFAULT_PRIORITY "10"`, "0 to 9"}},
		{[]string{"STEM_DEFAULT_SPEED=10"}, []string{`STEM_DEFAULT_SPEED`, "one of STEM_DEFAULT_QUEUE"}},
		{[]string{secure, "STEM_TLS_CA_CERT=/no/such/file"}, []string{`STEM_TLS_CA_CERT "/no/such/file"`, "a file with certificates in PEM", "no such file"}},
		{[]string{secure, "STEM_TLS_CA_CERT=" + empty}, []string{"STEM_TLS_CA_CERT", "there is none in it"}},
		{[]string{secure, "STEM_TLS_CLIENT_CERT=" + certs.ClientCert}, []string{"STEM_TLS_CLIENT_CERT without STEM_TLS_CLIENT_KEY", "both or neither"}},
		{[]string{secure, "STEM_TLS_CLIENT_KEY=" + certs.ClientKey}, []string{"STEM_TLS_CLIENT_KEY without STEM_TLS_CLIENT_CERT", "both or neither"}},
		{[]string{secure, "STEM_TLS_CLIENT_CERT=" + certs.ClientCert, "STEM_TLS_CLIENT_KEY=" + others.ClientKey},
			[]string{"STEM_TLS_CLIENT_CERT", "the certificate of the key in STEM_TLS_CLIENT_KEY", "private key does not match"}},
		{[]string{secure, "STEM_TLS_ALLOW_INSECURE=yes"}, []string{`STEM_TLS_ALLOW_INSECURE "yes"`, "true or false"}},
		{[]string{secure, "STEM_TLS_ALLOW_INSECURE=true", "STEM_TLS_CA_CERT=" + certs.CA}, []string{"beside STEM_TLS_CA_CERT", "one of the two"}},
		{[]string{"STEM_BROKER_URL=redis://localhost", "STEM_TLS_CA_CERT=" + certs.CA}, []string{"STEM_TLS_CA_CERT where no URL asks for TLS", "rediss://"}},
		{[]string{"STEM_BROKER_URL=postgres://localhost?sslmode=disable", "STEM_TLS_CA_CERT=" + certs.CA}, []string{"where no URL asks for TLS"}},
		{[]string{"STEM_BROKER_URL=postgres://localhost?sslmode=verify-full", "STEM_TLS_ALLOW_INSECURE=true"}, []string{"sslmode=verify-"}},
	}
	for _, tt := range tests {
		_, err := adapters.FromEnv(tt.env)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: got %v, want an error with %q and no password", tt.env, err, want)
			}
		}
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	_, err := adapters.FromEnv([]string{"STEM_LOG_LEVEL=loud", "STEM_WORKER_CONCURRENCY=many", "STEM_WORKER_QUEUS=mail"})
	for _, want := range []string{"STEM_LOG_LEVEL", "STEM_WORKER_CONCURRENCY", `variable "STEM_WORKER_QUEUS": want STEM_WORKER_QUEUES`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}

func TestASlipInANameIsAnErrorAndOtherNamesAreTold(t *testing.T) {
	for name, near := range map[string]string{
		"STEM_BROKR_URL": "STEM_BROKER_URL", "STEM_WORKER_CONCURENCY": "STEM_WORKER_CONCURRENCY", "STEM_LOGLEVEL": "STEM_LOG_LEVEL",
		"STEM_RESULT_BACKENDS_URL": "STEM_RESULT_BACKEND_URL", "STEM_DEFAULT_MAX_RETRYS": "STEM_DEFAULT_MAX_RETRIES",
	} {
		if _, err := adapters.FromEnv([]string{name + "=1"}); err == nil || !strings.Contains(err.Error(), "want "+near) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, near)
		}
	}
	cfg := configured(t, []string{"STEM_PORT_6379_TCP=tcp://10.0.0.1:6379", "STEM_CONFIG=/etc/stem.yaml", "STEM_SIGNING_KEYS=a", "PATH=/bin", "=C:=C"})
	if got, want := cfg.Unknown(), []string{"STEM_PORT_6379_TCP", "STEM_SIGNING_KEYS"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want what is nobody's, %v", got, want)
	}
}

func TestTheFirstLayerCountsAndEachValueSaysWhereItIsFrom(t *testing.T) {
	flags := adapters.Layer{Name: "flags", Values: map[string]string{"STEM_WORKER_CONCURRENCY": "1"}}
	env := adapters.Environment([]string{"STEM_WORKER_CONCURRENCY=2", "STEM_BROKER_URL=redis://me:hunter2@one/1", "STEM_WORKER_QUEUES=mail"})
	file := adapters.Layer{Name: "context production", Values: map[string]string{"STEM_WORKER_CONCURRENCY": "3", "STEM_BROKER_URL": "redis://two", "STEM_LOG_FORMAT": "json"}}
	cfg, err := adapters.Configure(flags, env, file)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.WorkerConfig().Slots; got != 1 {
		t.Errorf("got %d, want that of the flags, 1", got)
	}
	want := map[string]adapters.Source{
		"STEM_WORKER_CONCURRENCY": {Value: "1", From: "flags"},
		"STEM_WORKER_QUEUES":      {Value: "mail", From: "environment"},
		"STEM_LOG_FORMAT":         {Value: "json", From: "context production"},
		"STEM_LOG_LEVEL":          {Value: "info"},
		"STEM_BROKER_URL":         {Value: "redis://me:•••@one/1", From: "environment"},
		"STEM_RESULT_BACKEND_URL": {Value: "redis://me:•••@one/1", From: "STEM_BROKER_URL"},
		"STEM_REVOKE_STORE_URL":   {Value: "redis://me:•••@one/1", From: "STEM_RESULT_BACKEND_URL"},
	}
	for _, s := range cfg.Sources() {
		if w, ok := want[s.Variable]; ok {
			w.Variable = s.Variable
			if diff := cmp.Diff(s, w); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			delete(want, s.Variable)
		}
	}
	if len(want) > 0 {
		t.Errorf("got no source of %v", want)
	}
	file.Values["STEM_LOG_FORMAT"] = "xml"
	if _, err := adapters.Configure(flags, env, file); err == nil || !strings.Contains(err.Error(), "from: context production") {
		t.Errorf("got %v, want an error that says where the value is from", err)
	}
}

func TestNoPasswordIsShownOfAURL(t *testing.T) {
	for url, want := range map[string]string{
		"memory:":                                  "memory:",
		"redis://localhost:6379/1":                 "redis://localhost:6379/1",
		"redis://:hunter2@localhost/1":             "redis://:•••@localhost/1",
		"redis://hunter2@localhost/1":              "redis://•••@localhost/1",
		"rediss+cluster://me:hunter2@h:1?addr=g:2": "rediss+cluster://me:•••@h:1?addr=g:2",
		"postgres://me@h:1,[::1]:2/db":             "postgres://me@h:1,[::1]:2/db",
		"postgres://me:hunter2@h/db?sslmode=verify-full&password=hunter2&sslpassword=hunter2": "postgres://me:•••@h/db?sslmode=verify-full&password=•••&sslpassword=•••",
		"redis://me:hun/ter2@localhost/1": "redis://•••",
		"redis://me:hun@ter2@localhost/1": "redis://me:•••@localhost/1",
		"redis://me:hunter2":              "redis://•••",
		"hunter2":                         "•••",
		"hunter2://x":                     "•••",
		"":                                "•••",
	} {
		if got := adapters.MaskURL(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

func TestAStoreThatIsAwayIsNamedByItsVariable(t *testing.T) {
	for variable, env := range map[string][]string{
		"STEM_BROKER_URL":         {"STEM_BROKER_URL=redis://me:hunter2@127.0.0.1:1"},
		"STEM_RESULT_BACKEND_URL": {"STEM_BROKER_URL=memory:", "STEM_RESULT_BACKEND_URL=postgres://me:hunter2@127.0.0.1:1/db"},
	} {
		_, err := configured(t, env).Open(t.Context())
		var away *adapters.OpenError
		if !errors.As(err, &away) || away.Variable != variable || away.After <= 0 || strings.Contains(err.Error(), "hunter2") ||
			!strings.Contains(err.Error(), "me:•••@127.0.0.1:1") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v, want an OpenError of %s without the password", err, variable)
		}
	}
	if _, err := new(adapters.Config).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "STEM_BROKER_URL is not set: want memory:") {
		t.Errorf("without a URL: got %v, want an error that names the variable", err)
	}
}
