package adapters

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

const (
	// prefix is how the names of all variables begin.
	prefix = "STEM_"
	// ofTheCommand names the file of contexts, which only the command stem reads.
	ofTheCommand = "STEM_CONFIG"

	wantURL = "memory:, redis://, rediss://, redis+cluster://, rediss+cluster:// or postgres://"
)

// variable is one that there is: what it may be, what holds where nobody sets it, and what becomes of its text.
type variable struct {
	name, want, otherwise string
	set                   func(c *Config, text string) error
}

// variables are all that there are, in the order of the documentation.
var variables = []variable{
	{"STEM_BROKER_URL", wantURL, "", url(func(c *Config) *string { return &c.broker })},
	{"STEM_RESULT_BACKEND_URL", wantURL, "", url(func(c *Config) *string { return &c.backend })},
	{"STEM_REVOKE_STORE_URL", wantURL, "", url(func(c *Config) *string { return &c.revocations })},
	{"STEM_WORKER_NAMESPACE", "1 to 63 printable ASCII bytes without spaces, braces and colons, which do not begin with pg_", "stem", setNamespace},
	{"STEM_WORKER_QUEUES", "names of queues with commas between them, each once", stem.DefaultQueue, setQueues},
	{"STEM_WORKER_CONCURRENCY", "1 to 100000", "10 per CPU", number(1, 100_000, func(c *Config) *int { return &c.worker.Slots })},
	{"STEM_PREFETCH_MULTIPLIER", "1 to 1000", "2, and more for short tasks", number(1, 1000, func(c *Config) *int { return &c.worker.Prefetch })},
	{"STEM_HEARTBEAT_INTERVAL", "a duration from 1s to 1h", "10s", setHeartbeat},
	{"STEM_LOG_FORMAT", "text or json", "text", setFormat},
	{"STEM_LOG_LEVEL", "debug, info, warn or error", "info", setLevel},
	{"STEM_TLS_CA_CERT", "a file with certificates in PEM", "", func(c *Config, file string) error { return c.tls.readAuthorities(file) }},
	{"STEM_TLS_CLIENT_CERT", "a file with a certificate in PEM", "", func(c *Config, file string) error { return c.tls.name(&c.tls.cert, file) }},
	{"STEM_TLS_CLIENT_KEY", "a file with a key in PEM", "", func(c *Config, file string) error { return c.tls.name(&c.tls.key, file) }},
	{"STEM_TLS_ALLOW_INSECURE", "true or false", "false", setInsecure},
	{"STEM_DEFAULT_QUEUE", "", stem.DefaultQueue, nil},
	{"STEM_DEFAULT_PRIORITY", "", "0", nil},
	{"STEM_DEFAULT_MAX_RETRIES", "", "3", nil},
	{"STEM_DEFAULT_RETRY_FOR", "", "0", nil},
	{"STEM_DEFAULT_BACKOFF", "", "exp(2s,5m)", nil},
	{"STEM_DEFAULT_TIMEOUT", "", "0", nil},
	{"STEM_DEFAULT_SOFT_TIMEOUT", "", "0", nil},
	{"STEM_DEFAULT_EXPIRES", "", "0", nil},
	{"STEM_DEFAULT_VISIBILITY", "", "0", nil},
	{"STEM_DEFAULT_KEEP_RESULT", "", "24h", nil},
}

// errNotAllowed is a value that is none of what is wanted. Other errors of set say more.
var errNotAllowed = errors.New("not allowed")

// read takes the variable's text into a config.
func (v *variable) read(c *Config, text string) error {
	if v.set == nil { // stem has the rules
		defaults, err := stem.DefaultsFromEnv([]string{v.name + "=" + text})
		c.defaults = append(c.defaults, defaults...)
		return err
	}
	err := v.set(c, text)
	if err == nil {
		return nil
	}
	value, want := clip(text), v.want
	if v.want == wantURL {
		value = clip(v.show(text))
	}
	if err != errNotAllowed {
		want += " (" + err.Error() + ")"
	}
	return &stem.OptionError{Option: v.name, Value: value, Want: want}
}

// show gives the text as it may be seen.
func (v *variable) show(text string) string {
	if v.want == wantURL {
		return MaskURL(text)
	}
	return text
}

// clip shortens a value for an error and escapes what a terminal would obey.
func clip(text string) string {
	const most = 120
	if len(text) > most {
		return fmt.Sprintf("%.*q… (%d bytes)", most, text, len(text))
	}
	return strconv.Quote(text)
}

func url(field func(c *Config) *string) func(*Config, string) error {
	return func(c *Config, text string) error {
		if _, ok := schemeOf(text); !ok {
			return errNotAllowed
		}
		*field(c) = text
		return nil
	}
}

func number(least, most int, field func(c *Config) *int) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return errNotAllowed
		}
		*field(c) = n
		return nil
	}
}

// setNamespace takes what is a prefix of keys and a schema alike, whichever the store is.
func setNamespace(c *Config, text string) error {
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("{}:", r) }
	if text == "" || len(text) > 63 || strings.HasPrefix(text, "pg_") || strings.ContainsFunc(text, foreign) {
		return errNotAllowed
	}
	c.namespace = text
	return nil
}

func setQueues(c *Config, text string) error {
	var queues []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if _, err := stem.DefaultsFromEnv([]string{"STEM_DEFAULT_QUEUE=" + name}); err != nil || slices.Contains(queues, name) {
			return errNotAllowed
		}
		queues = append(queues, name)
	}
	c.worker.Queues = queues
	return nil
}

func setHeartbeat(c *Config, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > time.Hour {
		return errNotAllowed
	}
	c.worker.HeartbeatInterval = d
	return nil
}

func setFormat(c *Config, text string) error {
	if text != "text" && text != "json" {
		return errNotAllowed
	}
	c.json = text == "json"
	return nil
}

func setLevel(c *Config, text string) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, text) {
		return errNotAllowed
	}
	return c.level.UnmarshalText([]byte(text))
}

func setInsecure(c *Config, text string) error {
	if text != "true" && text != "false" {
		return errNotAllowed
	}
	c.tls.insecure = text == "true"
	return nil
}
