package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// parseURL reads a URL. What it says of the store goes before the config.
func parseURL(text string, cfg Config) (*pgxpool.Config, Config, error) {
	if err := checkURL(text); err != nil {
		return nil, cfg, err
	}
	text, sized, err := ours(text, &cfg)
	if err != nil {
		return nil, cfg, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, cfg, err
	}
	target, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, cfg, badURL(err)
	}
	if sized {
		cfg.PoolSize = int(target.MaxConns)
	}
	target.MaxConns = int32(min(cfg.PoolSize, 1<<16))
	params := target.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "stem" // what operators see in pg_stat_activity
	}
	return target, cfg, nil
}

var errURL = errors.New("postgres: open: the URL cannot be read: want postgres://user:password@host:port/database, " +
	"and a password's special characters escaped, such as %40 for @, %2F for /, %3F for ? and %23 for #")

// checkURL finds what is no URL of a server. A password may be in it, and, where it is not escaped, anywhere in it: the
// errors show nothing of it.
func checkURL(text string) error {
	scheme, rest, found := strings.Cut(text, ":")
	ours := scheme == "postgres" || scheme == "postgresql"
	if found && !ours && plain(scheme) {
		return fmt.Errorf("postgres: open: the URL begins with %s:, want postgres or postgresql", scheme)
	}
	rest, slashes := strings.CutPrefix(rest, "//")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, tail := rest[:end], rest[end:]
	_, badEscape := url.PathUnescape(rest)
	if !ours || !slashes || badEscape != nil || strings.Count(authority, "@") > 1 || strings.ContainsAny(tail, "@#") || strings.Count(tail, "?") > 1 {
		return errURL
	}
	return nil
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

// ours takes the parameters out of a URL that are the store's, which the server would refuse. It tells whether the driver's
// pool_max_conns is among those that stay.
func ours(text string, cfg *Config) (rest string, sized bool, err error) {
	base, query, _ := strings.Cut(text, "?")
	var stay []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.PathUnescape(name) // checkURL has
		value, _ = url.PathUnescape(value)
		switch name {
		case "schema":
			cfg.Schema = value
			if value == "" {
				err = errors.New("postgres: open: schema in the URL: want a name")
			}
		case "poll_only":
			if cfg.PollOnly, err = strconv.ParseBool(value); err != nil {
				err = errors.New("postgres: open: poll_only in the URL: want true or false")
			}
		default:
			stay = append(stay, pair)
			sized = sized || name == "pool_max_conns"
		}
		if err != nil {
			return "", false, err
		}
	}
	if query = strings.Join(stay, "&"); query != "" {
		base += "?" + query
	}
	return base, sized, nil
}

// badURL passes on what the driver says of a URL, but neither the URL nor an error that has it.
func badURL(err error) error {
	text := err.Error()
	return fmt.Errorf("postgres: open: the URL: %s", text[strings.LastIndex(text, "`: ")+1:])
}
