//go:build unix

package faultsite

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// poisons are what no recover stops.
var poisons = map[string]func(){
	"exit":                 func() { os.Exit(3) },
	"stack overflow":       overflow,
	"concurrent map write": scribble,
	"out of memory":        hoard,
}

// overflow does not take the whole GB that a stack may have: to grow it and to write its trace takes half a minute.
func overflow() {
	debug.SetMaxStack(8 << 20)
	os.Exit(deeper(0)) // it does not come to that
}

func deeper(n int) int {
	if n < 0 {
		return 0
	}
	return deeper(n+1) + n
}

// scribble writes a map from two goroutines until the runtime sees it.
func scribble() {
	m := make(map[int]int)
	for range 2 {
		go func() {
			for i := 0; ; i++ {
				m[i%100] = i
			}
		}()
	}
	select {}
}

// hoard lets the kernel refuse memory, and takes it until the runtime dies of that.
func hoard() {
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1, Max: 1})
	for {
		hoarded = append(hoarded, make([]byte, 1<<20))
	}
}

var hoarded [][]byte

// quarantine tells of a task that takes its process down: it is run three times and then set aside. Those that ran beside it
// are done, and none of them is taken for poison.
func quarantine(t *testing.T, s *Site, kind string) {
	const neighbours = 40
	for i := range neighbours + 1 {
		task, id, args := Chore, fmt.Sprint("chore-", i), fmt.Sprint(20+s.Random.IntN(200), "ms")
		if i == neighbours/4 {
			task, id, args = Poison, "poison", kind
		}
		if err := s.Enqueue(t.Context(), task, id, args); err != nil {
			t.Fatal(err)
		}
	}
	var dead []stem.DeadLetter
	deaths := 0
	s.Until("the poison is set aside", Patience, func() bool {
		if len(s.Crew) == 0 {
			s.Staff(1, Orders{Lease: time.Second})
		}
		if s.Crew[0].Ended(time.Millisecond) {
			deaths++
			s.Crew = nil
		}
		var err error
		if dead, err = s.Store.DeadLetters(t.Context(), stem.DefaultQueue, 10); err != nil {
			t.Fatal(err)
		}
		return len(dead) > 0
	})
	s.Quiet()
	s.Dismiss()
	report := ledger.Check(s.Without("poison"))
	t.Log(report)
	report.Assert(t, ledger.Expected{Tasks: neighbours, Duplicates: deaths * InHand})
	if got := s.Lines(Tried); got != 3 || deaths != 3 {
		t.Errorf("got %d runs of the poison and %d dead workers, want 3 and 3", got, deaths)
	}
	if len(dead) != 1 || dead[0].ID != "poison" || dead[0].Delivery == 0 {
		t.Errorf("got dead letters %+v, want the poison alone", dead)
	}
	if e, err := stem.ParseEnvelope(dead[0].Envelope); err != nil || e.ID != "poison" {
		t.Errorf("its bytes: got %v, %v, want those that were enqueued", e.ID, err)
	}
}
