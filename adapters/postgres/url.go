package postgres

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// target is what a URL says.
type target struct {
	pool *pgxpool.Config
	cfg  Config
	mode bool // the URL tells how statements are run (default_query_exec_mode)
}

// parseURL reads a URL. What it says of the store goes before the config.
func parseURL(text string, cfg Config) (*target, error) {
	if err := checkURL(text); err != nil {
		return nil, err
	}
	text, names, err := ours(text, &cfg)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	pool, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, badURL(err)
	}
	if slices.Contains(names, "pool_max_conns") {
		cfg.PoolSize = int(pool.MaxConns)
	}
	pool.MaxConns = int32(min(cfg.PoolSize, math.MaxInt32))
	if params := pool.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "stem" // what operators see in pg_stat_activity
	}
	return &target{pool, cfg, slices.Contains(names, "default_query_exec_mode")}, nil
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

// ours takes the parameters out of a URL that are the store's, which the server would refuse. It answers the URL without
// them, and the names of the others.
func ours(text string, cfg *Config) (rest string, names []string, err error) {
	base, query, _ := strings.Cut(text, "?")
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.PathUnescape(name) // checkURL has looked
		value, _ = url.PathUnescape(value)
		switch name {
		case "schema":
			if cfg.Schema = value; value == "" {
				return "", nil, errors.New("postgres: open: schema in the URL: want a name")
			}
		case "poll_only":
			if cfg.PollOnly, err = strconv.ParseBool(value); err != nil {
				return "", nil, errors.New("postgres: open: poll_only in the URL: want true or false")
			}
		default:
			others, names = append(others, pair), append(names, name)
		}
	}
	if query = strings.Join(others, "&"); query != "" {
		base += "?" + query
	}
	return base, names, nil
}

// badURL passes on what the driver says of a URL, but neither the URL nor an error that has it.
func badURL(err error) error {
	text := err.Error()
	return fmt.Errorf("postgres: open: the URL: %s", text[strings.LastIndex(text, "`: ")+len("`: "):])
}
