package testcert_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/gostem/gostem/internal/testcert"
)

// handshake lets a client say hello to a server that asks for a certificate of the set.
func handshake(t *testing.T, server *testcert.Set, client *tls.Config) (user string, err error) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(server.ServerCert, server.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(server.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("the authority's file has no certificate")
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var refused error
	var done sync.WaitGroup
	done.Go(func() {
		var c *tls.Conn
		if c, refused = tls.Dial("tcp", l.Addr().String(), client); refused == nil {
			c.Close()
		}
	})
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	s := accepted.(*tls.Conn)
	err = s.HandshakeContext(t.Context())
	accepted.Close()
	if done.Wait(); errors.Join(err, refused) != nil {
		return "", errors.Join(err, refused)
	}
	return s.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestAServerKnowsItsClientsAndTheyKnowIt(t *testing.T) {
	set, foreign := testcert.New(t, "mary"), testcert.New(t, "mary")
	if user, err := handshake(t, set, set.Client()); user != "mary" || err != nil {
		t.Errorf("the client: got %q, error %v, want mary", user, err)
	}
	if user, err := handshake(t, set, set.Stranger()); err == nil {
		t.Errorf("a client without certificate: got %q, want an error", user)
	}
	if user, err := handshake(t, set, foreign.Client()); err == nil {
		t.Errorf("a client of another authority: got %q, want an error", user)
	}
}
