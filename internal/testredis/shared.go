//go:build unix

package testredis

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/gostem/gostem/internal/testprocess"
)

// urlVariable names a server for the tests that share one.
const urlVariable = "STEM_TEST_REDIS_URL"

// shared is the one server of this test process, once a test has asked for it.
var shared = sync.OnceValues(func() (*instance, error) {
	dir, err := testprocess.Folder(os.TempDir(), "testredis")
	if err != nil {
		return nil, err
	}
	i, err := newInstance(dir, Config{}.spec())
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	sharedEnds = func() {
		_ = i.end(syscall.SIGKILL)
		_ = os.RemoveAll(dir)
	}
	return i, nil
})

// sharedEnds ends the shared server, if there is one.
var sharedEnds = func() {}

// URL gives the URL of a server that all tests of the process share. It is
// started when the first test asks; the tests keep apart by the names of their keys, and
// leave its configuration alone. Where STEM_TEST_REDIS_URL is set URL answers that.
//
// A package whose tests use it has a TestMain with [Main].
func URL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(urlVariable); url != "" {
		return url
	}
	i, err := shared()
	if err != nil {
		t.Fatalf("%v; or let %s name a server that the tests may use", err, urlVariable)
	}
	return i.url()
}

// Suite is the tests of a package, and then the end of the server that they shared.
type Suite struct{ tests runner }

type runner interface{ Run() int }

// Main lets the shared server end with the tests:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(testredis.Main(m)) }
func Main(m *testing.M) Suite { return Suite{m} }

// Run runs the tests.
func (s Suite) Run() int {
	code := s.tests.Run()
	sharedEnds()
	return code
}
