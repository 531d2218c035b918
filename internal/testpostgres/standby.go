//go:build unix

package testpostgres

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Standby runs a server that follows this one and only reads. It ends with the test. Its settings are
// those of Config.
func (s *Server) Standby(t testing.TB, settings ...string) *Server {
	t.Helper()
	return run(t, Config{Settings: settings}, plain, func(i *instance) error {
		if err := os.RemoveAll(i.data()); err != nil {
			return err
		}
		cmd := i.command(i.dir, filepath.Join(i.bin, "pg_basebackup"),
			"-D", i.data(), "-d", s.URL(), "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("pg_basebackup: %w:\n%s", err, out)
		}
		return nil
	})
}

// Promote lets a standby follow no longer, and waits until it takes writes.
func (s *Server) Promote() {
	s.t.Helper()
	if done := s.value(fmt.Sprintf("SELECT pg_promote(true, %d)", patience/time.Second)); done != "t" {
		s.t.Errorf("postgres on %s: it is no primary after %v", s.Addr(), patience)
	}
}
