package postgres

import (
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// After a look back at 100 s of the server's clock, nothing that came since is older than 98 s, where no transaction took longer. So what a
// backlog was taken from is not stepped over again, and the end of a line is.
func TestALookBackGoesNoFurtherThanTheOneBeforeMadeNeedful(t *testing.T) {
	const second = int64(time.Second / time.Microsecond)
	for name, c := range map[string]struct {
		last int64 // when the last that was taken became due
		want place
	}{
		"a backlog":             {last: 50 * second, want: place{50*second - trail, trail}},
		"the end of the line":   {last: 100 * second, want: place{98 * second, 0}},
		"after the look before": {last: 101 * second, want: place{99 * second, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bounds
			var lasts [stem.MaxPriority + 1]place
			var counts [stem.MaxPriority + 1]int
			counts[0] = trail
			for i, how := range []reach{stepBack, near, near} {
				lasts[0] = place{c.last - int64(2-i)*trail, int64(i) * trail}
				b.taken(&lasts, &counts, trail, 0, true, how, 100*second+int64(i), 0)
			}
			_, dues, seqs := b.append(nil, nil, nil, stepBack)
			if got := (place{dues[0], seqs[0]}); got != c.want {
				t.Errorf("got a look back from %v, want from %v", got, c.want)
			}
		})
	}
}

// A look that had enough of higher priorities says nothing of those below.
func TestALookBackThatHadEnoughIsNoneOfLowerPriorities(t *testing.T) {
	var b bounds
	var lasts [stem.MaxPriority + 1]place
	var counts [stem.MaxPriority + 1]int
	lasts[9], counts[9] = place{1, 1}, 1
	b.taken(&lasts, &counts, 1, 0, true, stepBack, 100, 0)
	if low, high := b.levels[0].looked, b.levels[9].looked; low != 0 || high != 100 {
		t.Errorf("got looks at %d and %d, want none of priority 0 and one of priority 9", low, high)
	}
	b.taken(&lasts, &counts, 1, 0, false, stepBack, 200, 0)
	if low := b.levels[0].looked; low != 200 {
		t.Errorf("got a look of priority 0 at %d where there was no more, want 200", low)
	}
}

// However much is taken, a look goes back twice a second, and from the start as soon as looks from there took no more than a fiftieth of
// the time: 5 seconds after one that took 100 ms. So long may a task have to wait that a transaction has committed late.
func TestOneLooksBackTwiceASecondAndFromTheStartAsOftenAsThatMayCost(t *testing.T) {
	const tick = time.Millisecond
	for cost, want := range map[time.Duration]time.Duration{
		0:                      stepEvery,
		time.Millisecond:       stepEvery,
		20 * time.Millisecond:  time.Second,
		100 * time.Millisecond: 5 * time.Second,
	} {
		t.Run(cost.String(), func(t *testing.T) {
			var b bounds
			var lasts [stem.MaxPriority + 1]place
			var counts [stem.MaxPriority + 1]int
			begun := time.Now()
			back, started := begun, begun
			for now := begun; now.Sub(begun) < 20*time.Second; now = now.Add(tick) {
				how := b.next(now)
				b.taken(&lasts, &counts, trail, 0, true, how, 0, cost)
				if how == near {
					continue
				}
				if since := now.Sub(back); since > stepEvery {
					t.Errorf("got no look back for %v, want one every %v", since, stepEvery)
				}
				back = now
				if how != fromStart {
					continue
				}
				if since := now.Sub(started); now != begun && since != want {
					t.Errorf("got a look from the start after %v, want one every %v", since, want)
				}
				started = now
			}
			if now := begun.Add(20 * time.Second); now.Sub(back) > stepEvery || now.Sub(started) > want {
				t.Errorf("got the last look back %v and the last from the start %v before the end", now.Sub(back), now.Sub(started))
			}
		})
	}
}
