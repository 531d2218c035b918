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
