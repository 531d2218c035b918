package redis_test

import (
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

func unique(e *stem.Envelope) {
	e.Unique = &stem.Uniqueness{Key: "key", Until: stem.UntilDone, OnConflict: stem.ConflictReplace}
}

// A key never outlives its task: also where that could not be stored.
func TestWhatCannotBeStoredHoldsNoUniqueKey(t *testing.T) {
	b := newTable(t, "")
	b.do("set", "~0", "no stream")
	b.do("set", "~delayed", "no sorted set")
	for _, delay := range []time.Duration{0, time.Hour} {
		e := plainTask("lost", unique)
		e.Delay = delay
		if _, err := b.Publish(t.Context(), e); err == nil {
			t.Fatalf("published on a key of another type, delay %v: got no error, want one", delay)
		}
	}
	b.do("del", "~0", "~delayed")
	p, err := b.Publish(t.Context(), plainTask("stored", unique))
	if err != nil || p[0] != (stem.Published{ID: "stored"}) {
		t.Errorf("got %+v, %v, want that it is stored and replaces nothing", p, err)
	}
}

// What somebody has written into the key of a unique key by hand keeps nobody out.
func TestAHoldThatIsNoneIsTakenOver(t *testing.T) {
	for _, garbage := range []string{"", "garbage", "0 q 0 0 0 - ", "99999999999999999999 q x 0 0 - id", "\xff\x00"} {
		b := newTable(t, "")
		b.do("set", "~unique:key", garbage)
		b.publish(plainTask("first", unique))
		p, err := b.Publish(t.Context(), plainTask("second", unique))
		if err != nil || p[0].Replaces != "first" {
			t.Errorf("after %q: got %+v, %v, want that the second replaces the first", garbage, p, err)
		}
	}
}
