package stem_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// witness stands between the processes and the store. It sees what is lent, also where the
// answer is lost on its way, and hears which settlements the store has accepted.
type witness struct {
	unfenced bool // take each settlement for one of the last delivery: what a store must not do

	mu       sync.Mutex
	lent     map[string][]stem.Delivery
	accepted map[string]map[int64]stem.Verdict
}

func (w *witness) sees(ds []stem.Delivery) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range ds {
		w.lent[d.ID] = append(w.lent[d.ID], d)
	}
}

func (w *witness) passes(ss []stem.Settlement) []stem.Settlement {
	if w == nil || !w.unfenced {
		return ss
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ss = slices.Clone(ss)
	for i := range ss {
		lent := w.lent[ss[i].Delivery.ID]
		ss[i].Delivery = lent[len(lent)-1]
	}
	return ss
}

func (w *witness) hears(ss []stem.Settlement, err error) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range ss {
		if stem.ItemErr(err, i) != nil {
			continue
		}
		if w.accepted[s.Delivery.ID] == nil {
			w.accepted[s.Delivery.ID] = map[int64]stem.Verdict{}
		}
		w.accepted[s.Delivery.ID][s.Delivery.Number] = s.Verdict
	}
}

// stale counts what was accepted from a holder that had lost its lease: what an earlier
// delivery has settled and a later one, when it was lent, did not show.
func (w *witness) stale(id string) (n int) {
	for _, d := range w.lent[id] {
		before := 0
		for number, verdict := range w.accepted[id] {
			switch {
			case number >= d.Number:
			case verdict == stem.VerdictAck || verdict == stem.VerdictDeadLetter:
				n++ // nothing is lent that is done
			default:
				before++
			}
		}
		n += max(before-(d.Attempt-1+d.Snoozes+d.Releases), 0)
	}
	return n
}

// effect is what a run has done to the world, as the ledger has it.
type effect struct {
	id     string
	number int64
	by     *process
	began  time.Time
}

// trouble is a time in which a process was cut off, or since which it is dead.
type trouble struct {
	of *process
	to time.Time
}

// simulation is a town whose processes die, are cut off and lose answers at random, with
// a ledger of effects that no store has a part in.
type simulation struct {
	*town
	witness witness
	errand  *stem.TaskDefinition[string, string]

	mu       sync.Mutex
	ledger   []effect
	alive    []*process
	troubles []trouble
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{town: newTown(t, seed)}
	s.witness.lent, s.witness.accepted = map[string][]stem.Delivery{}, map[string]map[int64]stem.Verdict{}
	s.errand = s.task("errand", s.run)
	return s
}

// run does what its args say: "2 3s true" fails twice, works for 3 s and does not look at its context.
func (s *simulation) run(ctx context.Context, args string) (string, error) {
	p, began := ctx.Value(processKey{}).(*process), time.Now()
	info, _ := stem.Info(ctx)
	var fails int
	var span string
	var stubborn bool
	if _, err := fmt.Sscan(args, &fails, &span, &stubborn); err != nil {
		return "", stem.Permanent(err)
	}
	d, _ := time.ParseDuration(span)
	end := ctx.Done()
	if stubborn {
		end = nil
	}
	select {
	case <-time.After(d):
	case <-end:
		return "", context.Cause(ctx)
	}
	if info.Attempt <= fails {
		return "", errors.New("not yet")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.isDead() {
		return "", stem.ErrClosed
	}
	s.ledger = append(s.ledger, effect{info.ID, info.Delivery, p, began})
	return fmt.Sprint(info.Delivery), nil
}

// staff keeps n processes at work. The answer ends them.
func (s *simulation) staff(n int) (end func()) {
	stop := make(chan struct{})
	var places sync.WaitGroup
	for i := range n {
		places.Go(func() {
			for working := true; working; {
				p := newProcess(s.store)
				p.witness = &s.witness
				w, gone := s.live(p, stem.WorkerConfig{Slots: 4, MaxInterruptions: -1})
				s.mu.Lock()
				s.alive[i] = p
				s.mu.Unlock()
				select {
				case <-gone:
					time.Sleep(time.Second)
				case <-stop:
					w.Stop(stem.StopSoft)
					<-gone
					p.die()
					working = false
				}
			}
		})
	}
	return func() { close(stop); places.Wait() }
}

// harm lets something happen to a process.
func (s *simulation) harm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.alive[s.random.IntN(len(s.alive))]
	switch s.random.IntN(3) {
	case 0:
		p.die()
		s.troubles = append(s.troubles, trouble{p, time.Unix(math.MaxInt32, 0)})
	case 1:
		away := s.upTo(45 * time.Second)
		p.cutOff()
		s.troubles = append(s.troubles, trouble{p, time.Now().Add(away)})
		time.AfterFunc(away, p.connect)
	case 2:
		p.eats.Store(true)
	}
}

// excused reports whether something happened to the process of a run after that began.
func (s *simulation) excused(e effect) bool {
	return slices.ContainsFunc(s.troubles, func(t trouble) bool { return t.of == e.by && !t.to.Before(e.began) })
}

// account is what a simulation comes to: the tasks enqueued; those without an effect; the
// settlements accepted from a holder that had lost its lease; the effects beyond one for each task;
// the effects that were not accepted although nothing had happened to their process; and
// the tasks whose result is not that of the run whose end was accepted.
type account struct{ enqueued, lost, stale, duplicates, unexcused, wrong int }

func (a *account) add(b account) {
	a.enqueued += b.enqueued
	a.lost += b.lost
	a.stale += b.stale
	a.duplicates += b.duplicates
	a.unexcused += b.unexcused
	a.wrong += b.wrong
}

// play enqueues errands, harms processes, waits until all is quiet, and counts.
func (s *simulation) play(errands, harms int) account {
	s.alive = make([]*process, 3)
	end := s.staff(len(s.alive))
	var jobs []stem.Job[string]
	for i := range errands {
		args := fmt.Sprint(max(0, s.random.IntN(6)-3), " ", time.Second+s.upTo(20*time.Second), " ", s.random.IntN(2) == 0)
		jobs = append(jobs, s.enqueue(s.errand, args, stem.WithID(fmt.Sprint("errand-", i)),
			stem.Delay(s.upTo(5*time.Minute)), stem.Priority(s.random.IntN(10))))
	}
	for range harms {
		time.Sleep(s.upTo(20 * time.Second))
		s.harm()
	}
	time.Sleep(30 * time.Minute)
	end()
	synctest.Wait()
	return s.count(jobs)
}

// count goes through the ledger, and through what the witness knows.
func (s *simulation) count(jobs []stem.Job[string]) (a account) {
	effects := map[string]int{}
	for _, e := range s.ledger {
		effects[e.id]++
		if s.witness.accepted[e.id][e.number] != stem.VerdictAck && !s.excused(e) {
			a.unexcused++
		}
	}
	for _, job := range jobs {
		a.enqueued++
		a.duplicates += max(effects[job.ID()]-1, 0)
		if effects[job.ID()] == 0 {
			a.lost++
		}
		a.stale += s.witness.stale(job.ID())
		if !s.right(job) {
			a.wrong++
		}
	}
	return a
}

// right reports whether the result of a job is that of the run whose end the store has accepted.
func (s *simulation) right(job stem.Job[string]) bool {
	record := s.status(job)
	return record.State == stem.StateSucceeded && s.witness.accepted[job.ID()][record.Delivery] == stem.VerdictAck
}

// Whatever happens to processes, each task that was enqueued is done, only tasks in hand at that
// time are done twice, and who has lost a lease settles nothing.
func TestProcessesDieAndNothingIsLost(t *testing.T) {
	const simulations = 8
	var all account
	for seed := range uint64(simulations) {
		synctest.Test(t, func(t *testing.T) {
			a := newSimulation(t, seed).play(100, 40)
			if bad := (account{enqueued: 100, duplicates: a.duplicates}); a != bad {
				t.Errorf("seed %d: got %+v, want nothing but duplicates", seed, a)
			}
			all.add(a)
		})
	}
	t.Logf("%d simulations: %+v", simulations, all)
	t.Logf(`the books: {"seed":0,"enqueued":%d,"done":%d,"lost":%d,"duplicates":%d,"stale":%d}`, // as those of internal/faultsite
		all.enqueued, all.enqueued-all.lost, all.lost, all.duplicates, all.stale)
	if all.duplicates == 0 {
		t.Error("got no task done twice, want some: otherwise nothing happened")
	}
}

func TestWhereNothingHappensNothingIsDoneTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if a := newSimulation(t, 1).play(100, 0); a != (account{enqueued: 100}) {
			t.Errorf("got %+v, want 100 tasks done once", a)
		}
	})
}

// The ledger and the witness find out about a store without a fence.
func TestAStoreWithoutAFenceIsFoundOut(t *testing.T) {
	var all account
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			s := newSimulation(t, seed)
			s.witness.unfenced = true
			all.add(s.play(100, 40))
		})
	}
	if t.Logf("got %+v", all); all.stale == 0 {
		t.Errorf("got %+v, want stale settlements to be counted", all)
	}
}
