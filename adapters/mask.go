package adapters

import (
	"slices"
	"strings"
)

// masked stands for what nobody is shown.
const masked = "•••"

// schemes are those that Open knows.
var schemes = []string{"redis", "rediss", "redis+cluster", "rediss+cluster", "postgres", "postgresql"}

// schemeOf gives the scheme of a URL that Open knows.
func schemeOf(url string) (scheme string, ok bool) {
	if url == "memory:" {
		return "memory", true
	}
	scheme, _, ok = strings.Cut(url, "://")
	return scheme, ok && slices.Contains(schemes, scheme)
}

// MaskURL gives the URL of a store as it may be shown: with ••• for its password. Of what is no such URL, and may have a password
// anywhere, no more is shown than how it begins.
func MaskURL(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case url == "memory:":
		return url
	case !ok || !plain(scheme):
		return masked
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, tail := rest[:end], rest[end:]
	user, hosts, ok := cutLast(authority, "@")
	if !ok {
		user, hosts = "", authority
	}
	if strings.Contains(tail, "@") || !numbered(hosts) {
		return scheme + "://" + masked
	}
	if name, _, both := strings.Cut(user, ":"); both {
		user = name + ":" + masked
	} else if user != "" && strings.HasPrefix(scheme, "redis") {
		user = masked // many a password of Redis was given in the user's place
	}
	if user != "" {
		user += "@"
	}
	return scheme + "://" + user + hosts + maskQuery(tail)
}

// maskQuery hides the values of parameters that are passwords.
func maskQuery(tail string) string {
	path, query, ok := strings.Cut(tail, "?")
	if !ok {
		return tail
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(strings.ToLower(name), "pass") {
			pairs[i] = name + "=" + masked
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// numbered reports whether what follows the colons of hosts are the numbers of ports. Else one of them may be a user.
func numbered(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		_, port, ok := cutLast(host[strings.LastIndexByte(host, ']')+1:], ":")
		if ok && strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return true
}

// plain reports whether a text is a scheme and surely nothing else.
func plain(scheme string) bool {
	return scheme != "" && len(scheme) < 20 && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz+") == ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
