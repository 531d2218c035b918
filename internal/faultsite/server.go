//go:build unix

package faultsite

import (
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Under has two workers, whose leases are long, do a load while something happens, and balances the ledger.
func (s *Site) Under(want ledger.Expected, happens func(), opts ...stem.Option) {
	s.t.Helper()
	s.Staff(2, Orders{Lease: 10 * time.Second})
	enough := s.Load("chore", opts...)
	s.Progress(20)
	happens()
	s.Progress(20)
	want.Tasks = enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(want)
}

// Away tells of a server that is away for longer than the leases. Workers wait for it without spinning, and go on by themselves when
// it is back; an outage makes nothing look like poison.
func (s *Site) Away(kill, restart func()) {
	s.t.Helper()
	const workers = 2
	s.Staff(workers, Orders{Lease: 2 * time.Second})
	enough := s.Load("before")
	s.Progress(100)
	tasks := enough()
	kill()
	before := s.CPU(s.Crew[0])
	Yield(Outage())
	used := s.CPU(s.Crew[0]) - before
	s.t.Logf("away for %v: a worker took %v of the CPU", Outage(), used)
	if most := Outage() / 20; used > most {
		s.t.Errorf("a worker took %v of the CPU while the server was away for %v, want at most %v", used, Outage(), most)
	}
	restart()
	enough = s.Load("after")
	s.Progress(50)
	tasks += enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks, Duplicates: workers * InHand})
}
