//go:build unix

package testpostgres

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// urlVariable names a server for the tests that share one.
const urlVariable = "STEM_TEST_POSTGRES_URL"

// shared gives the URL of the one server of this test process: that of the environment, or one
// that is started when a test asks for it first.
var shared = sync.OnceValues(func() (string, error) {
	if server := os.Getenv(urlVariable); server != "" {
		return server, nil
	}
	i, err := newInstance(Config{}, plain, func(*instance) error { return nil })
	if err != nil {
		return "", fmt.Errorf("%w; or let %s name a server on which the tests may create databases", err, urlVariable)
	}
	atEnd(func() { _ = i.remove() })
	return i.url("postgres"), nil
})

// URL gives the URL of an empty database that is this test's own, and gone after it. All tests of
// the process share one server, and leave its configuration and its roles alone. Where
// STEM_TEST_POSTGRES_URL is set the server is that one.
//
// A package whose tests use it has a TestMain with [Main].
func URL(t testing.TB) string {
	t.Helper()
	var empty Template
	return empty.URL(t)
}

// Template is a database that is prepared once, and of which each test gets a copy: migrations
// run once for all tests of a package. The zero value is empty.
type Template struct {
	// Prepare fills the database, and closes its connections: one that is in use is not copied.
	Prepare func(url string) error

	once sync.Once
	name string
	err  error
}

// URL gives the URL of a copy of the template that is this test's own, and gone after it.
func (m *Template) URL(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	m.once.Do(func() { m.name, m.err = m.prepare(server) })
	if m.err != nil {
		t.Fatal(m.err)
	}
	return newDatabase(t, server, m.name)
}

func (m *Template) prepare(server string) (name string, err error) {
	if m.Prepare == nil {
		return "template0", nil
	}
	name, err = create(server, "template0")
	if err != nil {
		return "", err
	}
	atEnd(func() { _ = drop(server, name) })
	return name, m.Prepare(within(server, name))
}

// newDatabase makes a database and drops it at the end of the test, in spite of connections.
func newDatabase(t testing.TB, server, template string) string {
	t.Helper()
	name, err := create(server, template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(server, name); err != nil {
			t.Error(err)
		}
	})
	return within(server, name)
}

func create(server, template string) (name string, err error) {
	name = "stem_test_" + strings.ToLower(rand.Text())
	if _, err := query(server, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		return "", fmt.Errorf("create a database for a test: %w", err)
	}
	return name, nil
}

func drop(server, name string) error {
	if _, err := query(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database of a test: %w", err)
	}
	return nil
}

// within gives the URL of another database of the server.
func within(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // which a connection has taken, so that this cannot be
	}
	u.Path = "/" + name
	return u.String()
}

// Suite is the tests of a package, or another program, and then the end of what they shared.
type Suite struct{ tests runner }

type runner interface{ Run() int }

// Main lets what tests share end with them:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(testpostgres.Main(m)) }
func Main(m runner) Suite { return Suite{m} }

// Run runs the tests.
func (s Suite) Run() int {
	code := s.tests.Run()
	ending.Lock()
	defer ending.Unlock()
	for i := len(ending.steps) - 1; i >= 0; i-- {
		ending.steps[i]()
	}
	ending.steps = nil
	return code
}

// ending is what is to be done after the tests, last first.
var ending struct {
	sync.Mutex
	steps []func()
}

func atEnd(step func()) {
	ending.Lock()
	defer ending.Unlock()
	ending.steps = append(ending.steps, step)
}
