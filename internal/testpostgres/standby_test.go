//go:build unix

package testpostgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
)

func TestAStandbyFollowsUntilItIsPromoted(t *testing.T) {
	primary := testpostgres.Start(t, testpostgres.Config{Settings: []string{"synchronous_standby_names=*"}})
	standby := primary.Standby(t)
	answer(t, standby, "SELECT pg_is_in_recovery()", "t")
	run(t, primary, "SET synchronous_commit = remote_apply; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
	answer(t, standby, "SELECT count(*) FROM kept", "1")
	const write = "INSERT INTO kept VALUES (2)"
	if _, err := standby.Query(write); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write: got error %v, want that it only reads", err)
	}
	standby.Restart()
	answer(t, standby, "SELECT pg_is_in_recovery()", "t")

	primary.Kill()
	standby.Promote()
	run(t, standby, write)
	answer(t, standby, "SELECT count(*) FROM kept", "2")
}

func TestASettingOfARunningServerIsChanged(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	run(t, s, "CREATE TABLE t (n int)")
	c := connect(t, s.URL())
	const write = "INSERT INTO t VALUES (1)"
	for _, value := range []string{"on", "off"} {
		s.Set("default_transaction_read_only", value)
		_, err := ask(t, c, write)
		if _, fresh := s.Query(write); (err != nil) != (value == "on") || (fresh != nil) != (value == "on") {
			t.Errorf("read-only %s: got error %v on an old connection and %v on a new one", value, err, fresh)
		}
	}
}

func TestConnectionsAreTerminated(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	first, second := connect(t, s.URL()), connect(t, s.URL())
	if n := s.Terminate(); n != 2 {
		t.Errorf("got %d, want 2", n)
	}
	if _, err := ask(t, first, "SELECT 1"); err == nil {
		t.Error("one of them: got an answer, want an error")
	}
	if _, err := ask(t, second, "SELECT 1"); err == nil {
		t.Error("the other: got an answer, want an error")
	}
	for deadline := time.Now().Add(10 * time.Second); s.Terminate() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("they are still there")
		}
	}
}
