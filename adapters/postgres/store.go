package postgres

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/gostem/gostem/stem"
)

// Config adjusts a store. The zero value works.
type Config struct {
	// Schema is the schema that holds the tables, so that several programs can share a database. Any name of up to 63 bytes
	// but those that begin with pg_. Default: "stem".
	Schema string
	// PoolSize is the most connections that a store of [Open] has, beside one that listens. Default: 4.
	PoolSize int
	// PollOnly tells not to listen for what others announce, but to ask. It is so by itself behind a pooler, such as PgBouncer, where nobody
	// can listen. Default: false.
	PollOnly bool
	// NoMigration has [Open] and [New] answer [ErrNoTables] for an empty schema, instead of making the tables there: for programs that
	// only look, whose user may have named another database than he meant. Default: false.
	NoMigration bool
	// MaxDeadLetters is the most dead letters kept for each queue. One more, and the oldest goes within a minute. Default: 10,000.
	MaxDeadLetters int
	// Logger is told what an operator should know: what the checks at the start found. Default: slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Schema == "" {
		c.Schema = "stem"
	}
	if c.PoolSize == 0 {
		c.PoolSize = 4
	}
	if c.MaxDeadLetters == 0 {
		c.MaxDeadLetters = 10_000
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	if strings.HasPrefix(c.Schema, "pg_") || len(c.Schema) > 63 || strings.ContainsRune(c.Schema, 0) || !utf8.ValidString(c.Schema) {
		return &stem.OptionError{Option: "Schema", Value: fmt.Sprintf("%q", c.Schema), Want: "up to 63 bytes of UTF-8 that do not begin with pg_"}
	}
	if c.PoolSize < 0 {
		return &stem.OptionError{Option: "PoolSize", Value: fmt.Sprint(c.PoolSize), Want: "0 (for the default) or more"}
	}
	if c.MaxDeadLetters < 0 {
		return &stem.OptionError{Option: "MaxDeadLetters", Value: fmt.Sprint(c.MaxDeadLetters), Want: "0 (for the default) or more"}
	}
	return nil
}
