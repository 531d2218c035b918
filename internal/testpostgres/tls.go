//go:build unix

package testpostgres

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/gostem/gostem/internal/testcert"
)

const (
	tlsURLVariable = "STEM_TEST_POSTGRES_TLS_URL"
	tlsCAVariable  = "STEM_TEST_POSTGRES_TLS_CA_CERT"
)

// TLS gives the URL of a fresh database on a server that speaks TLS alone, and the file with the
// certificate of the authority that it is known by. The URL asks for both to be verified.
// Where STEM_TEST_POSTGRES_TLS_URL is set the server is that one, and
// STEM_TEST_POSTGRES_TLS_CA_CERT names the file.
func TLS(t testing.TB) (database, ca string) {
	t.Helper()
	server := os.Getenv(tlsURLVariable)
	if server == "" {
		server, ca = startTLS(t)
	} else {
		ca = os.Getenv(tlsCAVariable)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is no URL", tlsURLVariable) // the error would tell the password
	}
	if options := u.Query(); ca != "" && !options.Has("sslrootcert") {
		options.Set("sslrootcert", ca)
		u.RawQuery = options.Encode()
	}
	return newDatabase(t, u.String(), "template0"), ca
}

// MutualTLS runs a server for this test that speaks TLS alone, and with clients alone that have the certificate of the set. Its URL names
// these certificates.
func MutualTLS(t testing.TB) (*Server, *testcert.Set) {
	t.Helper()
	certs := testcert.New(t, "postgres")
	settings := []string{"ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key", "ssl_ca_file=ca.pem"}
	options := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {certs.CA}, "sslcert": {certs.ClientCert}, "sslkey": {certs.ClientKey}}
	s := run(t, Config{Settings: settings}, options, func(i *instance) error {
		return errors.Join(
			i.copyIn(certs.ServerCert, "server.pem"), i.copyIn(certs.ServerKey, "server.key"), i.copyIn(certs.CA, "ca.pem"),
			i.write(filepath.Join(i.data(), "pg_hba.conf"), []byte("hostssl all all 127.0.0.1/32 cert\n")),
		)
	})
	return s, certs
}

// Certify has the server start anew with the certificate that a set has now.
func (s *Server) Certify(set *testcert.Set) {
	s.t.Helper()
	s.Kill()
	s.check(errors.Join(s.copyIn(set.ServerCert, "server.pem"), s.copyIn(set.ServerKey, "server.key")))
	s.options = url.Values{"sslmode": {"require"}, "sslcert": {set.ClientCert}, "sslkey": {set.ClientKey}} // what it shows may be wrong on purpose
	s.check(s.start())
}

func startTLS(t testing.TB) (server, ca string) {
	t.Helper()
	certs := testcert.New(t, "postgres")
	settings := []string{"ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key"}
	options := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {certs.CA}}
	s := run(t, Config{Settings: settings}, options, func(i *instance) error {
		return errors.Join(
			i.copyIn(certs.ServerCert, "server.pem"), i.copyIn(certs.ServerKey, "server.key"),
			i.write(filepath.Join(i.data(), "pg_hba.conf"), []byte("hostssl all all 127.0.0.1/32 "+login+"\n")),
		)
	})
	return s.URL(), certs.CA
}

// copyIn copies a file to the server's data, of which the server wants to own its key.
func (i *instance) copyIn(from, name string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return i.write(filepath.Join(i.data(), name), text)
}
