package adapters_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/gostem/gostem/internal/testcert"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
)

// trial is an attempt to connect, and what its failure must tell.
type trial struct {
	promise string
	env     []string
	want    []string
}

func (tt trial) run(t *testing.T, endpoint string) {
	t.Helper()
	cfg := configured(t, tt.env)
	cfg.Log = slog.New(slog.DiscardHandler)
	stores, err := cfg.Open(t.Context())
	if err == nil {
		t.Errorf("%s: it opens", tt.promise)
		_ = stores.Close()
		return
	}
	for _, want := range append(tt.want, endpoint) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s in it", tt.promise, err, want)
		}
	}
}

// shown is what must be told of a server's certificate.
var shown = []string{"the server's certificate is of CN=localhost, by CN=authority of a test, valid from 20", "for localhost, 127.0.0.1"}

func with(more ...string) []string { return append(more, shown...) }

func credentials(set *testcert.Set) []string {
	return []string{"STEM_TLS_CLIENT_CERT=" + set.ClientCert, "STEM_TLS_CLIENT_KEY=" + set.ClientKey}
}

func TestRedisIsNotTrustedAndItIsToldWhy(t *testing.T) {
	stranger := testcert.New(t, "default")
	set := testcert.New(t, "default")
	good := testredis.WithCertificates(t, set)
	set.Rename("other.example")
	other := testredis.WithCertificates(t, set)
	set.Expire()
	expired := testredis.WithCertificates(t, set)
	plain := testredis.Start(t, testredis.Config{})
	ca, foreign := "STEM_TLS_CA_CERT="+set.CA, "STEM_TLS_CA_CERT="+stranger.CA
	url := func(s *testredis.Server) string { return "STEM_BROKER_URL=rediss://" + s.Addr() }
	for server, tt := range map[*testredis.Server]trial{
		expired: {"the certificate has expired", []string{url(expired), ca}, with("has expired", "renewed at the server", "this machine's clock")},
		other: {"the certificate is another server's", []string{url(other), ca},
			[]string{"CN=other.example", "name the server in the URL as its certificate does"}},
		plain: {"the server speaks no TLS", []string{url(plain) + "?dial_timeout=500ms", ca}, []string{"the server speaks no TLS there: use redis://"}},
	} {
		tt.run(t, server.Addr())
	}
	for _, tt := range []trial{
		{"the authority is unknown", []string{url(good), foreign}, with("unknown authority", "STEM_TLS_CA_CERT", "Config.TLS")},
		{"the client has no certificate", []string{url(good), ca}, []string{"there is none", "STEM_TLS_CLIENT_CERT and STEM_TLS_CLIENT_KEY"}},
		{"the client's certificate is a stranger's", append(credentials(stranger), url(good), ca), []string{"does not know the authority of this program's certificate"}},
		{"the server speaks TLS", []string{"STEM_BROKER_URL=redis://" + good.Addr()}, []string{"the server speaks TLS there: use rediss://"}},
	} {
		tt.run(t, good.Addr())
	}
}

func TestPostgresIsNotTrustedAndItIsToldWhy(t *testing.T) {
	stranger := testcert.New(t, "postgres")
	server, set := testpostgres.MutualTLS(t)
	plain := testpostgres.Start(t, testpostgres.Config{})
	bare := func(s *testpostgres.Server) string {
		url, _, _ := strings.Cut(s.URL(), "?")
		return "STEM_BROKER_URL=" + url
	}
	ca, foreign := "STEM_TLS_CA_CERT="+set.CA, "STEM_TLS_CA_CERT="+stranger.CA
	mine := credentials(set)
	for _, tt := range []trial{
		{"the authority is unknown", append(mine, bare(server), foreign), with("unknown authority", "STEM_TLS_CA_CERT", "sslrootcert in the URL")},
		{"the authority is unknown, and the name does not matter", append(mine, bare(server)+"?sslmode=verify-ca", foreign),
			[]string{"unknown authority", "the certificate of the server's authority is of CN=authority of a test"}},
		{"the client has no certificate", []string{bare(server), ca}, []string{"certificate of this user", "STEM_TLS_CLIENT_CERT and STEM_TLS_CLIENT_KEY"}},
		{"the client's certificate is a stranger's", append(credentials(stranger), bare(server), ca), []string{"does not know the authority of this program's certificate"}},
		{"the server wants TLS", []string{bare(server) + "?sslmode=disable"}, []string{"it may let this user in by TLS"}},
	} {
		tt.run(t, server.Addr())
	}
	trial{"the server speaks no TLS", []string{bare(plain), ca}, []string{"it speaks no TLS: sslmode=disable"}}.run(t, plain.Addr())
	set.Rename("other.example")
	server.Certify(set)
	trial{"the certificate is another server's", append(mine, bare(server), ca),
		[]string{"CN=other.example", "name the server in the URL as its certificate does"}}.run(t, server.Addr())
	set.Expire()
	server.Certify(set)
	trial{"the certificate has expired", append(mine, bare(server), ca), with("has expired", "renewed at the server")}.run(t, server.Addr())
}
