//go:build unix

// Package faults_test lets things go wrong around the adapter: worker processes are killed, put to sleep and poisoned,
// servers are killed, filled, flushed, demoted and replaced, the network between them fails. Workers are processes of their own (this
// binary, see program_test.go), servers are real, and what was done is in a ledger that no store has a part in.
//
// A test prints its seed; STEM_TEST_FAULT_SEED repeats one. What goes on in other processes does not repeat.
package faults_test

import (
	"flag"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/crashworker"
)

func TestMain(m *testing.M) {
	if code, ran := crashworker.Main(programs); ran {
		os.Exit(code)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	// Most of what these tests do is wait.
	if err := flag.Set("test.parallel", "4"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
