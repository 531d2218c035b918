package stem

import (
	"fmt"
	"testing"
)

// A crowd of tasks that fail together comes back spread out, also where their ids differ in a digit only.
func TestTheJitterOfACrowdIsEven(t *testing.T) {
	const tasks, parts = 20_000, 10
	for _, ids := range []func(int) string{
		func(i int) string { return fmt.Sprint("order-", i) },
		func(int) string { return NewID() },
	} {
		for attempt := 1; attempt <= 4; attempt++ {
			var counts [parts]int
			for i := range tasks {
				counts[int(drawFor(ids(i), attempt)*parts)]++
			}
			for part, n := range counts {
				if n < tasks/parts*9/10 || n > tasks/parts*11/10 {
					t.Errorf("attempt %d: got %d of %d tasks in tenth %d (such as %s), want about %d", attempt, n, tasks, part, ids(0), tasks/parts)
				}
			}
		}
	}
}

func TestTheJitterOfATaskIsNotThatOfItsLastAttempt(t *testing.T) {
	const tasks = 1000
	near := 0
	for range tasks {
		id := NewID()
		if d := drawFor(id, 1) - drawFor(id, 2); d > -0.05 && d < 0.05 {
			near++
		}
	}
	if near > tasks/5 {
		t.Errorf("got %d of %d attempts with the jitter of the one before, want about a tenth", near, tasks)
	}
}
