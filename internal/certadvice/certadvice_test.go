package certadvice_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/certadvice"
)

// What adapters tell of real servers is tested there.
func TestACertificateIsToldAsItMayBeShown(t *testing.T) {
	ways := certadvice.Ways{Authority: "an option", Certificate: "two options"}
	hostile := &x509.Certificate{Subject: pkix.Name{CommonName: "\x1b[2J" + strings.Repeat("x", 1000)}, DNSNames: []string{"a\nb"}}
	got := ways.Advice(x509.UnknownAuthorityError{Cert: hostile})
	if strings.ContainsAny(got, "\x1b\n") || len(got) > 700 {
		t.Errorf("got %q, want it escaped and short", got)
	}
	young := &x509.Certificate{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}
	got = ways.Advice(fmt.Errorf("wrapped: %w", x509.CertificateInvalidError{Cert: young, Reason: x509.Expired}))
	if !strings.Contains(got, "wait until it is valid, or set this machine's clock") || !strings.Contains(got, "of nobody, by nobody") || !strings.Contains(got, "for no name") {
		t.Errorf("got %q, want to be told of one that is not valid yet", got)
	}
	got = ways.Advice(x509.CertificateInvalidError{Cert: young, Reason: x509.IncompatibleUsage})
	if !strings.HasSuffix(got, ": have another one made") {
		t.Errorf("got %q, want another one", got)
	}
	if got := ways.Advice(errors.New("connection refused")); got != "" {
		t.Errorf("got %q for what is no matter of certificates, want nothing", got)
	}
}
