//go:build unix

package soak

import (
	"context"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// fault is something that goes wrong, and is well again when it returns.
type fault struct {
	name string
	do   func()
}

// soak is a store under a steady load.
type soak struct {
	*faultsite.Site
	t      *testing.T
	span   time.Duration
	faults []fault
	probes []probe
	series []*series
	missed int // samples
	harms  int // that may have had tasks done twice
}

// keep is for how long results are kept and ids known: short enough that they go while the run is warming up.
func (k *soak) keep() time.Duration { return min(max(k.span/10, 2*time.Second), time.Minute) }

// kept is how many tasks come in that time at most. How many are known may grow by that, since the pace of the load is not quite its own: at times the
// machine has other things to do.
func (k *soak) kept() float64 { return float64(k.keep() / pace) }

// orders are those of all workers.
func (k *soak) orders() faultsite.Orders {
	return faultsite.Orders{Name: "own", Lease: 2 * time.Second, Slots: 8, Limited: true, Keep: k.keep()}
}

// run lets the load run, faults happen and gauges be read, and checks the books and the trends.
func (k *soak) run() {
	k.t.Helper()
	client, err := stem.NewClient(k.Store, stem.ClientConfig{Defaults: faultsite.Kept(k.keep())})
	if err != nil {
		k.t.Fatal(err)
	}
	k.Client = client
	stop := k.work(k.orders())
	enough := k.load()
	happened := k.watch()
	tasks := enough()
	k.t.Logf("%d tasks, faults: %v", tasks, happened)
	k.Quiet()
	k.Dismiss()
	stop()
	k.Balance(ledger.Expected{Tasks: tasks, Duplicates: k.harms * faultsite.InHand})
	k.judge()
}

// work runs a worker in this process until the answer is called.
func (k *soak) work(o faultsite.Orders) (stop func()) {
	worker := k.Worker(o)
	done := make(chan error, 1)
	go func() { done <- worker.Run(context.Background()) }()
	return func() {
		k.t.Helper()
		worker.Stop(stem.StopWarm)
		if err := <-done; err != nil {
			k.t.Errorf("%s ended with %v, want nil", o.Name, err)
		}
	}
}

// watch reads the gauges at even times, and lets something go wrong now and then, between two samples.
func (k *soak) watch() (happened map[string]int) {
	every := min(max(k.span/120, 200*time.Millisecond), 10*time.Second)
	pause := min(max(k.span/20, 2*time.Second), 15*time.Second)
	happened = make(map[string]int)
	began, last := time.Now(), time.Now()
	for time.Since(began) < k.span {
		faultsite.Yield(every)
		k.sample()
		if time.Since(last) < pause {
			continue
		}
		f := k.faults[k.Random.IntN(len(k.faults))]
		f.do()
		happened[f.name]++
		last = time.Now()
	}
	return happened
}
