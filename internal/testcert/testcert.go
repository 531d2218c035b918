// Package testcert makes the certificates of test servers and of their clients. It is
// for the tests of this module; no user needs it.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Set is an authority of its own, a server's certificate for 127.0.0.1 and localhost, and
// a client's. They hold for a day; the names are those of PEM files.
type Set struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string

	roots     *x509.CertPool
	client    tls.Certificate
	authority *authority
}

// New makes a set. Its files are there until the test ends; only their owner may read keys.
// The client's certificate is that of a user, whom databases know by that name.
func New(t testing.TB, user string) *Set {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	s := &Set{
		CA:         file("ca.pem"),
		ServerCert: file("server.pem"), ServerKey: file("server.key"),
		ClientCert: file("client.pem"), ClientKey: file("client.key"),
		roots: x509.NewCertPool(),
	}
	a := &authority{TB: t}
	s.authority = a
	a.cert, a.key = a.sign(s.CA, "", &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	s.roots.AddCert(a.cert)
	a.sign(s.ServerCert, s.ServerKey, server())
	a.sign(s.ClientCert, s.ClientKey, &x509.Certificate{
		Subject: pkix.Name{CommonName: user}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var err error
	if s.client, err = tls.LoadX509KeyPair(s.ClientCert, s.ClientKey); err != nil {
		t.Fatal(err)
	}
	return s
}

// Stranger gives the configuration of a client that trusts the authority and has no certificate.
func (s *Set) Stranger() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// server is the template of a server's certificate.
func server() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// Expire replaces the server's certificate, in its files, by one that has expired an hour ago.
func (s *Set) Expire() {
	expired := server()
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	s.authority.sign(s.ServerCert, s.ServerKey, expired)
}

// Rename replaces the server's certificate, in its files, by one for another host.
func (s *Set) Rename(host string) {
	other := server()
	other.Subject.CommonName, other.DNSNames, other.IPAddresses = host, []string{host}, nil
	s.authority.sign(s.ServerCert, s.ServerKey, other)
}

// Client gives the configuration of a client that trusts the authority and has its certificate.
func (s *Set) Client() *tls.Config {
	c := s.Stranger()
	c.Certificates = []tls.Certificate{s.client}
	return c
}

// authority signs. Its first certificate is its own.
type authority struct {
	testing.TB
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// sign makes a key and a certificate after the template, and writes both to files; no
// file where its name is empty.
func (a *authority) sign(certFile, keyFile string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	a.serial++
	template.SerialNumber = big.NewInt(a.serial)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	a.must(err)
	cert, err := x509.ParseCertificate(der)
	a.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.write(certFile, "CERTIFICATE", der)
	a.write(keyFile, "PRIVATE KEY", secret)
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.Helper()
	if name != "" {
		a.must(os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
}

func (a *authority) must(err error) {
	if err != nil {
		a.Helper()
		a.Fatal(err)
	}
}
