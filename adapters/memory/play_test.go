package memory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// TestNobodyWaitsBesideWork plays the turns of receivers and all that may happen
// between them in random orders. Whenever all who were woken have had their
// turns, nobody may wait beside something that he would get.
func TestNobodyWaitsBesideWork(t *testing.T) {
	for seed := range uint64(300) {
		experiment(t, func(l lab) {
			p := &play{lab: l, random: rand.New(rand.NewPCG(seed, 0))}
			for step := range 200 {
				p.step()
				if step%5 > 0 {
					continue
				}
				for synctest.Wait(); p.turn(); synctest.Wait() {
				}
				if n := l.Stranded(); n > 0 {
					t.Fatalf("seed %d, step %d: got %d receivers that wait beside work, want 0", seed, step, n)
				}
			}
		})
	}
}

// play is what happens at a store, step by step.
type play struct {
	lab
	random  *rand.Rand
	n       int
	waiting []*memory.Receiver
	asked   []stem.ReceiveRequest // by those who wait
	held    []stem.Delivery
}

func (p *play) step() {
	switch p.random.IntN(9) {
	case 0, 1:
		p.publishSome()
	case 2, 3:
		p.ask()
	case 4:
		p.turn()
	case 5:
		p.giveUp()
	case 6:
		p.settleOne()
	case 7:
		time.Sleep(time.Duration(p.random.IntN(20)) * time.Second) // and the alarm may ring later
	case 8:
		_ = p.PauseQueue(p.ctx(), fmt.Sprint(p.random.IntN(2)), p.random.IntN(3) == 0)
	}
}

func (p *play) publishSome() {
	for range 1 + p.random.IntN(4) {
		p.n++
		e := task(fmt.Sprint(p.n))
		e.Task, e.Queue, e.Priority = fmt.Sprint(p.random.IntN(3)), fmt.Sprint(p.random.IntN(2)), p.random.IntN(2)
		e.Fingerprint = p.random.Uint64N(3)
		e.Delay = max(0, time.Duration(p.random.IntN(20)-10)*time.Second)
		e.Visibility = max(0, time.Duration(p.random.IntN(40)-20)*time.Second)
		p.publish(e)
	}
}

// ask lets a receiver come. Sessions are few, so some have more than one, and
// short, so many lapse while they wait.
func (p *play) ask() {
	req := stem.ReceiveRequest{
		Session: stem.Session{ID: fmt.Sprint(p.random.IntN(4)), Lease: 10 * time.Second},
		Queues:  [][]string{{"0"}, {"1"}, {"0", "1"}, {"1", "0"}}[p.random.IntN(4)],
		Max:     1 + p.random.IntN(3),
	}
	req.AgeAfter = time.Duration(p.random.IntN(3)) * 3 * time.Second // 0: strict
	if p.random.IntN(3) > 0 {
		req.Tasks = stem.NewTaskSet(spec(p.random, 3))
	}
	p.answer(p.Turn(p.ctx(), req, nil))(req)
}

// spec gives a task of one of n names that reads up to two schemas, or all.
func spec(random *rand.Rand, n int) stem.TaskSpec {
	return stem.TaskSpec{
		Name:   fmt.Sprint(random.IntN(n)),
		Schema: stem.Schema{Fingerprint: random.Uint64N(3), Older: []uint64{random.Uint64N(3)}},
	}
}

// answer takes note of what came of a turn.
func (p *play) answer(ds []stem.Delivery, waiting *memory.Receiver, err error) func(stem.ReceiveRequest) {
	return func(req stem.ReceiveRequest) {
		p.held = append(p.held, ds...)
		if waiting != nil && err == nil {
			p.waiting, p.asked = append(p.waiting, waiting), append(p.asked, req)
		}
	}
}

// turn lets one that was woken have its turn, if there is one.
func (p *play) turn() bool {
	for _, i := range p.random.Perm(len(p.waiting)) {
		if p.waiting[i].Woken() {
			p.have(p.ctx(), i)
			return true
		}
	}
	return false
}

func (p *play) have(ctx context.Context, i int) {
	r, req := p.waiting[i], p.asked[i]
	p.waiting, p.asked = slices.Delete(p.waiting, i, i+1), slices.Delete(p.asked, i, i+1)
	p.answer(p.Turn(ctx, req, r))(req)
}

// giveUp ends the wait of one, woken or not.
func (p *play) giveUp() {
	if len(p.waiting) > 0 {
		ctx, cancel := context.WithCancel(p.ctx())
		cancel()
		p.have(ctx, p.random.IntN(len(p.waiting)))
	}
}

func (p *play) settleOne() {
	if len(p.held) == 0 {
		return
	}
	i := p.random.IntN(len(p.held))
	s := settlement(p.held[i], stem.Verdict(1+p.random.IntN(5)))
	s.Delay = max(0, time.Duration(p.random.IntN(20)-10)*time.Second)
	_ = p.Settle(p.ctx(), s) // it may have been lost
	p.held = slices.Delete(p.held, i, i+1)
}
