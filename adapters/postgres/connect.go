package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gostem/gostem/internal/certadvice"
)

// connectError is what the driver says of servers that it did not reach, on one line and each thing once: it tries
// again without TLS where that is only preferred.
type connectError struct {
	user string
	err  error
}

func (e *connectError) Error() string {
	var refused *pgconn.ConnectError
	if !errors.As(e.err, &refused) {
		return "postgres: connect: " + e.err.Error()
	}
	var lines []string
	for line := range strings.Lines(refused.Unwrap().Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return fmt.Sprintf("postgres: connect as user %s: %s%s", e.user, strings.Join(lines, "; "), advice(e.err))
}

func (e *connectError) Unwrap() error { return e.err }

// ways are how a store is told of certificates.
var ways = certadvice.Ways{Authority: "sslrootcert in the URL", Certificate: "sslcert and sslkey in the URL"}

// advice tells what to do about an error with which a server let nobody in, where that is known.
func advice(err error) string {
	if a := ways.Advice(err); a != "" {
		return a
	}
	text := err.Error()
	switch code := code(err); {
	case code == "" && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		// With TLS 1.3 the server looks at our certificate when we believe to be connected. What it says is lost if we write meanwhile.
		return ": the server has hung up, as one does that wants a certificate of this program and has got none, or does not know the authority of this program's certificate: " +
			"name the files with certificate and key in STEM_TLS_CLIENT_CERT and STEM_TLS_CLIENT_KEY, or use " + ways.Certificate
	case code == "" && strings.HasSuffix(text, "server refused TLS connection"):
		return ": it speaks no TLS: sslmode=disable in the URL, if nobody on the way can listen"
	case code == "28000" && strings.Contains(text, "no encryption"):
		return ": it may let this user in by TLS: sslmode=verify-full in the URL"
	case code == "28000" && strings.Contains(text, "pg_hba.conf"):
		return ": its pg_hba.conf must let this user in from here"
	case code == "28P01":
		return ": the URL must have this user's password, special characters escaped, such as %40 for @"
	case code == "3D000":
		return ": make the database with CREATE DATABASE, or name another in the URL"
	case code == "42704", strings.Contains(text, "unsupported startup parameter"): // the latter by PgBouncer
		return ": leave it out of the URL: neither the driver nor the store has it"
	case code == "53300":
		return ": raise max_connections, or put PgBouncer before it"
	}
	return ""
}
