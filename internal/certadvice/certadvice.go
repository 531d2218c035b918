// Package certadvice says why two programs do not trust each other's certificates, and what to do about it. It is for the
// adapters of this module.
package certadvice

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Ways are where an adapter is told of certificates, beside the variables for it.
type Ways struct{ Authority, Certificate string }

// Advice tells what the driver's error does not: which certificate the server has shown, and what to do. It is empty where the
// error is about none.
func (w Ways) Advice(err error) string {
	var (
		invalid x509.CertificateInvalidError
		foreign x509.UnknownAuthorityError
		another x509.HostnameError
		refused *tls.CertificateVerificationError
	)
	shown := func() *x509.Certificate {
		if errors.As(err, &refused) && len(refused.UnverifiedCertificates) > 0 {
			return refused.UnverifiedCertificates[0]
		}
		return nil
	}
	switch {
	case errors.As(err, &invalid):
		return invalidAdvice(invalid)
	case errors.As(err, &foreign):
		cert := shown()
		if cert == nil {
			cert = foreign.Cert
		}
		return describe(cert) + ": if the authority is your own, name the file with its certificate in STEM_TLS_CA_CERT, or use " + w.Authority
	case errors.As(err, &another):
		return describe(another.Certificate) + ": name the server in the URL as its certificate does, or have it made for " + another.Host
	case errors.As(err, &refused):
		return describe(shown())
	}
	return w.ofClient(err.Error())
}

func invalidAdvice(e x509.CertificateInvalidError) string {
	way := "have another one made"
	if e.Reason == x509.Expired {
		way = "have it renewed at the server"
		if now := time.Now(); e.Cert != nil && now.Before(e.Cert.NotBefore) {
			way = "wait until it is valid"
		}
		way += ", or set this machine's clock, by which it is " + stamp(time.Now())
	}
	return describe(e.Cert) + ": " + way
}

// alerts are what servers say of a client's certificate, and what that means.
var alerts = map[string]string{
	"tls: certificate required":           "the server wants to see a certificate and there is none",
	"tls: unknown certificate authority":  "the server does not know the authority of this program's certificate",
	"tls: unknown certificate":            "the server does not take this program's certificate",
	"tls: bad certificate":                "the server wants to see a certificate that it trusts",
	"tls: expired certificate":            "this program's certificate has expired",
	"tls: revoked certificate":            "this program's certificate has been revoked",
	"requires a valid client certificate": "the server wants to see a certificate of this user",
}

// ofClient is about the certificate of this program, of which the server says no more than an alert.
func (w Ways) ofClient(text string) string {
	for alert, why := range alerts {
		if strings.HasSuffix(text, alert) || strings.Contains(text, alert+" (SQLSTATE") {
			return ": " + why + ": name the files with certificate and key in STEM_TLS_CLIENT_CERT and STEM_TLS_CLIENT_KEY, or use " + w.Certificate
		}
	}
	return ""
}

// describe tells whose certificate it is, who signed it, for when and for which names.
func describe(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	whose := "the server's certificate"
	if cert.IsCA {
		whose = "the certificate of the server's authority"
	}
	return fmt.Sprintf(": %s is of %s, by %s, valid from %s to %s, for %s",
		whose, name(cert.Subject.String()), name(cert.Issuer.String()), stamp(cert.NotBefore), stamp(cert.NotAfter), names(cert))
}

// longest bounds what is told of what a stranger has written.
const longest = 200

// name escapes what a terminal would obey.
func name(text string) string {
	if text == "" {
		return "nobody"
	}
	quoted := fmt.Sprintf("%.*q", longest, text)
	return quoted[1 : len(quoted)-1]
}

func names(cert *x509.Certificate) string {
	all := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		all = append(all, net.IP(ip).String())
	}
	if len(all) == 0 {
		return "no name"
	}
	return name(strings.Join(all, ", "))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
