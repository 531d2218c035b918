package adapters

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	neturl "net/url"
	"os"
	"slices"
	"strings"

	"github.com/gostem/gostem/stem"
)

// certificates are what STEM_TLS_ variables say, for each store whose URL asks for TLS.
type certificates struct {
	ca, cert, key string // names of files
	insecure      bool
	authorities   *x509.CertPool // of ca; nil: those of the machine
}

func (t *certificates) readAuthorities(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return errors.New("there is none in it")
	}
	t.ca, t.authorities = file, pool
	return nil
}

// name takes the name of a file that can be read. What is in it is looked at with the other one, by check.
func (t *certificates) name(field *string, file string) error {
	if _, err := os.ReadFile(file); err != nil {
		return err
	}
	*field = file
	return nil
}

// check finds what does not fit together, once all variables are read.
func (t *certificates) check(c *Config) error {
	if *t == (certificates{}) {
		return nil
	}
	said := func(name string) bool { return c.source(name).From != "" }
	refuse := func(variable, value, want string) error {
		return &stem.OptionError{Option: variable, Value: value, Want: want}
	}
	switch cert, key := said("STEM_TLS_CLIENT_CERT"), said("STEM_TLS_CLIENT_KEY"); {
	case cert && !key:
		return refuse("STEM_TLS_CLIENT_CERT", "without STEM_TLS_CLIENT_KEY", "both or neither")
	case key && !cert:
		return refuse("STEM_TLS_CLIENT_KEY", "without STEM_TLS_CLIENT_CERT", "both or neither")
	case t.ca != "" && t.insecure:
		return refuse("STEM_TLS_ALLOW_INSECURE", "beside STEM_TLS_CA_CERT", "one of the two: what is looked at, or that nothing is")
	}
	if t.cert != "" && t.key != "" {
		if _, err := tls.LoadX509KeyPair(t.cert, t.key); err != nil {
			return refuse("STEM_TLS_CLIENT_CERT", clip(t.cert), "the certificate of the key in STEM_TLS_CLIENT_KEY ("+err.Error()+")")
		}
	}
	if c.broker == "" {
		return nil
	}
	secure := false
	for _, url := range []string{c.broker, c.backend, c.revocations} {
		secure = secure || asksForTLS(url)
		if mode, _ := parameter(url, "sslmode"); t.insecure && strings.HasPrefix(mode, "verify-") {
			return refuse("STEM_TLS_ALLOW_INSECURE", "beside a URL with sslmode=verify-…", "one of the two: it asks for what this leaves out")
		}
	}
	if secure {
		return nil
	}
	i := slices.IndexFunc(c.sources, func(s Source) bool { return s.From != "" && strings.HasPrefix(s.Variable, "STEM_TLS_") })
	return refuse(c.sources[i].Variable, "where no URL asks for TLS", "one that does (rediss://, or postgres:// without sslmode=disable), or no such variable")
}

// asksForTLS reports whether connections of a URL are, or may be, made by TLS.
func asksForTLS(url string) bool {
	switch scheme, _ := schemeOf(url); scheme {
	case "rediss", "rediss+cluster":
		return true
	case "postgres", "postgresql":
		mode, _ := parameter(url, "sslmode")
		return mode != "disable"
	}
	return false
}

// config is that of connections to Redis; nil for those without TLS, and where the URL says it all.
func (t *certificates) config(url string) (*tls.Config, error) {
	if *t == (certificates{}) || !asksForTLS(url) {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: t.authorities, InsecureSkipVerify: t.insecure}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// parameters adds to a URL of PostgreSQL what it does not say itself. One that does not say what TLS it wants gets all there is, unless
// that is not wanted.
func (t *certificates) parameters(url string) string {
	if *t == (certificates{}) || !asksForTLS(url) {
		return url
	}
	mode := "verify-full"
	if t.insecure {
		mode = "require"
	}
	for _, p := range [][2]string{{"sslmode", mode}, {"sslrootcert", t.ca}, {"sslcert", t.cert}, {"sslkey", t.key}} {
		if _, said := parameter(url, p[0]); said || p[1] == "" {
			continue
		}
		joint := "?"
		if strings.Contains(url, "?") {
			joint = "&"
		}
		url += joint + p[0] + "=" + neturl.QueryEscape(p[1])
	}
	return url
}

// parameter gives the value of a parameter of a URL.
func parameter(url, name string) (value string, said bool) {
	_, query, _ := strings.Cut(url, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, ok := strings.Cut(pair, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
