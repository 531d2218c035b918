package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Open connects to the server of a URL, redis://[user:password@]host[:port][/database], rediss:// for TLS or
// unix:///path?db=database for a socket, with what go-redis reads from its query, but for max_retries: what has been done must not be
// done twice. The store closes its connections with itself. A server that cannot be used is an error; see [New].
func Open(ctx context.Context, url string, cfg Config) (*Store, error) {
	if err := checkURL(url, "redis", "rediss", "unix"); err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, badURL(err)
	}
	if options.MaxRetries != 0 {
		return nil, errRetries
	}
	if options.TLSConfig, err = cfg.secure(options.TLSConfig); err != nil {
		return nil, err
	}
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	s, err := New(ctx, client, cfg)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	s.owned = true
	return s, nil
}

// OpenCluster connects to a cluster by the URL of one of its nodes, as [Open] does to a server. More nodes to begin
// at may be named in the query: ?addr=host:port&addr=host:port.
func OpenCluster(ctx context.Context, url string, cfg Config) (*ClusterStore, error) {
	if err := checkURL(url, "redis", "rediss"); err != nil {
		return nil, err
	}
	options, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, badURL(err)
	}
	if options.MaxRetries != 0 {
		return nil, errRetries
	}
	if options.TLSConfig, err = cfg.secure(options.TLSConfig); err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClusterClient(options)
	s, err := NewCluster(ctx, client, cfg)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	s.owned = true
	return s, nil
}

// secure gives the configuration of connections by TLS, of which a URL knows the server's name; nil for those without.
func (c Config) secure(byURL *tls.Config) (*tls.Config, error) {
	switch {
	case c.TLS == nil:
		return byURL, nil
	case byURL == nil:
		return nil, errors.New("redis: open: there is a Config.TLS and the URL asks for no TLS: it must begin with rediss://")
	}
	t := c.TLS.Clone()
	if t.ServerName == "" {
		t.ServerName = byURL.ServerName
	}
	t.InsecureSkipVerify = t.InsecureSkipVerify || byURL.InsecureSkipVerify
	return t, nil
}

// New makes a store on a client of the user's, which stays the user's to close: one with a client certificate, say, or
// redis.NewFailoverClient, which asks Sentinels for the master. Its options should have MaxRetries: -1 and
// ContextTimeoutEnabled: true.
//
// It looks at the server first, for 10 s at most. What would lose tasks or break them is an error: a
// version below 7.0, an eviction policy with a memory limit, a replica, a cluster, rights that the user lacks. What an
// operator should know is logged: what the server would lose if it were killed, a clock that is off, what could not be looked at.
func New(ctx context.Context, client *redis.Client, cfg Config) (*Store, error) {
	c, err := newCore(client, cfg)
	if err == nil {
		err = c.boot(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &Store{c}, nil
}

// NewCluster makes a store on a client of a cluster, as [New] does on one of a server. It looks at all masters.
func NewCluster(ctx context.Context, client *redis.ClusterClient, cfg Config) (*ClusterStore, error) {
	c, err := newCore(client, cfg)
	if err == nil {
		err = c.boot(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &ClusterStore{c}, nil
}

var errRetries = errors.New("redis: open: max_retries in the URL: leave it out: go-redis would repeat what has been done already, where only the answer was lost")

// checkURL finds what is no URL of a server. A password may be in it, and, where it is not escaped, anywhere in it: the
// errors show nothing of it.
func checkURL(text string, schemes ...string) error {
	u, err := url.Parse(text)
	scheme, _, found := strings.Cut(text, ":")
	switch {
	case !strings.Contains(text, "://") && isHostPort(text):
		return fmt.Errorf("redis: open: the URL does not begin with %s://: want redis://host:port", strings.Join(schemes, ":// or "))
	case found && !slices.Contains(schemes, scheme) && plain(scheme):
		return fmt.Errorf("redis: open: the URL begins with %s:, want %s", scheme, strings.Join(schemes, ", "))
	case err != nil, strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@"):
		return errors.New("redis: open: the URL cannot be read: want redis://user:password@host:port/database, " +
			"and a password's special characters escaped, such as %40 for @ and %2F for /")
	case u.Opaque != "" || u.Host == "" && u.Scheme != "unix":
		return errors.New("redis: open: the URL names no host: want redis://host:port")
	}
	return nil
}

// isHostPort reports whether a text is an address where a URL was wanted.
func isHostPort(text string) bool {
	_, port, found := strings.Cut(text[strings.LastIndexByte(text, '@')+1:], ":")
	return !found || port != "" && '0' <= port[0] && port[0] <= '9'
}

// plain reports whether a text is a scheme and surely nothing else.
func plain(scheme string) bool {
	for _, r := range scheme {
		if r < 'a' || r > 'z' {
			return false
		}
	}
	return len(scheme) > 0 && len(scheme) < 12
}

// badURL passes on what go-redis says of a URL's path and query.
func badURL(err error) error {
	return fmt.Errorf("redis: open: the URL: %s", strings.TrimPrefix(err.Error(), "redis: "))
}
