package cli

import (
	"net/url"
	"strings"
)

// maskURL gives a store's URL without its secrets: the password, and the values of all parameters that may hold
// one. Of one that cannot be read, or hides a second @, only the scheme is shown.
func maskURL(text string) string {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || rest == "" {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || strings.Contains(u.Path, "@") || strings.Contains(u.Fragment, "@") {
		return scheme + "://…"
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), hidden)
	}
	query := u.Query()
	for name, values := range query {
		if secretParameter(name) {
			for i := range values {
				values[i] = hidden
			}
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// hidden stands where a secret is not shown.
const hidden = "xxxxx"

func secretParameter(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "secret", "token", "key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
