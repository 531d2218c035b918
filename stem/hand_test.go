package stem

import "testing"

func TestAHandThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	h := newHand(1)
	next := int64(0)
	put := func(n int) {
		loans := make([]*loan, n)
		for i := range loans {
			loans[i] = &loan{Delivery: &Delivery{Number: next}}
			next++
		}
		h.put(loans)
	}
	put(10)
	for want := range int64(10_000) {
		if want%5 == 0 {
			put(5)
		}
		if got := h.take(); got.Number != want {
			t.Fatalf("got loan %d, want %d: first in, first out", got.Number, want)
		}
	}
	if got := cap(h.loans); got > 100 {
		t.Errorf("got room for %d loans, want as many as were in hand at once", got)
	}
}
