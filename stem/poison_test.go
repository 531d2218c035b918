package stem_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// fates counts what became of tasks over many runs.
type fates struct{ done, poison, other, runs, begins int }

func (f *fates) add(o *town, ids ...string) {
	letters := map[string]string{}
	for _, letter := range o.deadLetters("default") {
		letters[letter.ID] = letter.Reason
	}
	for _, id := range ids {
		f.begins += o.runs[id]
		switch {
		case letters[id] == "" && o.ends[id] > 0:
			f.done++
		case len(letters[id]) > 0 && letters[id][:6] == string(stem.FailurePoison):
			f.poison++
		default:
			f.other++
		}
	}
	f.runs++
}

// crowd enqueues healthy tasks that work up to so long each.
func (o *town) crowd(n int, longest time.Duration) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("well-", i))
		o.enqueue(o.work, fmt.Sprint("well ", o.upTo(longest)), stem.WithID(ids[i]))
	}
	return ids
}

func TestPoisonIsQuarantinedAfterThreeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t, 1)
		o.enqueue(o.work, "poison 2s", stem.WithID("poison"))
		end := o.respawn(2, stem.WorkerConfig{Slots: 4})
		time.Sleep(10 * time.Minute)
		end()
		var f fates
		if f.add(o, "poison"); f.poison != 1 || f.begins != 3 {
			t.Errorf("got %+v, want poison after 3 runs", f)
		}
	})
}

// Two processes work on healthy tasks, and now and then there comes one among them
// that takes its process down. Each dead process is replaced. One poisonous task is
// out of the way before the next comes: where two are there at once, the first run of
// the one may meet the last try of the other's neighbour, which nobody can tell apart.
func TestNeighboursOfPoisonAreNotTakenForIt(t *testing.T) {
	const runs, wells, poisons = 20, 300, 3
	const apart = 5 * time.Minute
	var well, poison fates
	for seed := range uint64(runs) {
		synctest.Test(t, func(t *testing.T) {
			o := newTown(t, seed)
			ids := o.crowd(wells/3, 3*time.Second)
			for i := wells / 3; i < wells; i++ {
				ids = append(ids, fmt.Sprint("well-", i))
				o.enqueue(o.work, fmt.Sprint("well ", o.upTo(10*time.Second)), stem.WithID(ids[i]), stem.Delay(o.upTo(poisons*apart)))
			}
			var bad []string
			for i := range poisons {
				bad = append(bad, fmt.Sprint("poison-", i))
				o.enqueue(o.work, fmt.Sprint("poison ", o.upTo(3*time.Second)), stem.WithID(bad[i]), stem.Delay(time.Duration(i)*apart))
			}
			end := o.respawn(2, stem.WorkerConfig{Slots: 4})
			time.Sleep((poisons + 1) * apart)
			end()
			before := well
			well.add(o, ids...)
			poison.add(o, bad...)
			if well.done-before.done < wells {
				t.Logf("seed %d: a neighbour suffered", seed)
			}
		})
	}
	t.Logf("%d runs: %d of %d neighbours taken for poison, %d of %d poisonous tasks, in %d crashes",
		runs, well.poison, runs*wells, poison.poison, runs*poisons, poison.begins)
	if well.done != runs*wells || poison.poison != runs*poisons || poison.begins != 3*runs*poisons {
		t.Errorf("neighbours: got %+v, want all done; poison: got %+v, want all of it set aside after 3 runs each", well, poison)
	}
}

// Three processes work while the store goes away for 30 s, 3 to 10 times, for all of
// them or for one.
func TestOutagesMakeNoPoison(t *testing.T) {
	const runs, wells = 40, 40
	var f fates
	robbed := 0
	for seed := range uint64(runs) {
		synctest.Test(t, func(t *testing.T) {
			o := newTown(t, seed)
			ids := o.crowd(wells, time.Minute)
			var processes []*process
			var workers []func()
			for range 3 {
				p := newProcess(o.store)
				w, gone := o.live(p, stem.WorkerConfig{Slots: 4})
				processes = append(processes, p)
				workers = append(workers, func() { w.Stop(stem.StopSoft); <-gone; p.die() })
			}
			for range 3 + o.random.IntN(8) {
				time.Sleep(5*time.Second + o.upTo(time.Minute))
				o.outage(processes)
			}
			time.Sleep(6 * time.Minute)
			for _, stop := range workers {
				stop()
			}
			f.add(o, ids...)
			robbed += len(eventsOf[stem.LeaseLost](o.rig))
		})
	}
	t.Logf("%d runs: %d of %d healthy tasks taken for poison, after %d lost leases", runs, f.poison, runs*wells, robbed)
	if f.done != runs*wells {
		t.Errorf("got %+v, want all done", f)
	}
	if robbed < 5*runs {
		t.Errorf("got %d lost leases, want outages that do harm: the test proves nothing", robbed)
	}
}

// outage cuts all processes off, or one of them, for 30 s.
func (o *town) outage(processes []*process) {
	if one := o.random.IntN(2 * len(processes)); one < len(processes) {
		processes = processes[one : one+1]
	}
	for _, p := range processes {
		p.cutOff()
	}
	time.Sleep(30 * time.Second)
	for _, p := range processes {
		p.connect()
	}
}

// Three workers are stopped and replaced again and again while tasks run that take
// longer than any grace; each process is killed at the end of it.
func TestDeploysMakeNoPoison(t *testing.T) {
	const deploys, wells = 10, 40
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t, 1)
		ids := o.crowd(wells, time.Hour)
		for range deploys {
			p := newProcess(o.store)
			w, gone := o.live(p, stem.WorkerConfig{Slots: wells, Grace: 10 * time.Second})
			time.Sleep(2 * time.Minute)
			w.Stop(stem.StopWarm)
			time.Sleep(time.Second)
			p.die() // the platform's patience is shorter than the grace
			<-gone
		}
		end := o.respawn(1, stem.WorkerConfig{Slots: wells})
		time.Sleep(3 * time.Hour)
		end()
		var f fates
		if f.add(o, ids...); f.done != wells || f.begins < 3*wells {
			t.Errorf("got %+v, want all done, after many runs cut short", f)
		}
	})
}

func TestOneSuspectAtATimeRunsInAProcess(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var b busy
		nap := r.task("nap", func(context.Context, string) (string, error) {
			b.enter()
			defer b.leave()
			time.Sleep(time.Minute)
			return "", nil
		})
		var jobs []stem.Job[string]
		for range 5 {
			jobs = append(jobs, r.enqueue(nap, ""))
		}
		for _, session := range []string{"crashed", "crashed too"} {
			_, err := r.store.Receive(t.Context(), stem.ReceiveRequest{
				Session: stem.Session{ID: session, Lease: time.Second}, Queues: []string{"default"}, Max: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		refuse := func([]stem.Settlement) error { return errAway }
		f.bad.Store(&refuse)
		r.work(stem.WorkerConfig{Slots: 5})
		time.Sleep(30 * time.Second)
		if n := len(eventsOf[stem.TaskStarted](r)); n != 0 {
			t.Errorf("got %d suspects started while the others could not be given back, want none", n)
		}
		f.bad.Store(nil)
		for _, job := range jobs {
			if _, err := r.wait(job); err != nil {
				t.Fatal(err)
			}
			if s := r.status(job); s.Attempt != 1 || s.Interruptions != 2 {
				t.Errorf("got %+v, want no attempt spent", s)
			}
		}
		if most := b.most.Load(); most != 1 {
			t.Errorf("got %d suspects at once, want 1", most)
		}
	})
}

// What a receive brings as the process dies was in it too. So for a moment nothing is received beside a suspect: it may be one that
// kills at once.
func TestNothingIsReceivedBesideASuspectAtFirst(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var atStart, soon, later int64
		nap := r.task("nap", func(context.Context, string) (string, error) {
			atStart = f.receives.Load()
			time.Sleep(900 * time.Millisecond)
			soon = f.receives.Load()
			time.Sleep(time.Second)
			later = f.receives.Load()
			return "", nil
		})
		job := r.enqueue(nap, "")
		for _, session := range []string{"crashed", "crashed too"} {
			_, err := r.store.Receive(t.Context(), stem.ReceiveRequest{
				Session: stem.Session{ID: session, Lease: time.Second}, Queues: []string{"default"}, Max: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		r.work(stem.WorkerConfig{Slots: 5})
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		if soon != atStart || later == soon {
			t.Errorf("got %d receives before the suspect began, %d after 0.9 s and %d after 1.9 s; want none more at first, and then some", atStart, soon, later)
		}
	})
}
