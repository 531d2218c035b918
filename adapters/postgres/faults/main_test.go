//go:build unix

// Package faults_test lets things go wrong around the adapter: worker processes are killed, put to sleep and poisoned, servers
// are killed, demoted, locked and filled with connections, and the network between them fails (see internal/faultsite).
package faults_test

import (
	"flag"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testpostgres"
)

func TestMain(m *testing.M) {
	if code, ran := crashworker.Main(faultsite.Programs(open, book)); ran {
		os.Exit(code)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	// Most of what these tests do is wait.
	if err := flag.Set("test.parallel", "6"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	goleak.VerifyTestMain(testpostgres.Main(m))
}
