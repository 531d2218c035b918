package stem

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestALazyContextIsOneOfPackageContextOnceLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		parent := context.WithValue(t.Context(), key{}, "value")
		c := callContext(parent, time.Minute)
		if c.Err() != nil || c.Value(key{}) != "value" {
			t.Errorf("got %v and %v, want no error and the parent's value", c.Err(), c.Value(key{}))
		}
		if deadline, ok := c.Deadline(); !ok || time.Until(deadline) != time.Minute {
			t.Errorf("got deadline %v, %v; want in a minute", deadline, ok)
		}
		child, cancel := context.WithCancel(c)
		defer cancel()
		cause := errors.New("cause")
		c.end(cause)
		c.end(errors.New("too late"))
		<-child.Done()
		if got := context.Cause(child); !errors.Is(got, cause) {
			t.Errorf("cause: got %v, want %v", got, cause)
		}
	})
}

func TestALazyContextEndsBeforeAnybodyLooks(t *testing.T) {
	cause := errors.New("cause")
	c := callContext(t.Context(), time.Minute)
	c.end(cause)
	if !errors.Is(c.Err(), context.Canceled) || !errors.Is(context.Cause(c), cause) {
		t.Errorf("got %v for %v, want context.Canceled for the cause", c.Err(), context.Cause(c))
	}
	<-c.Done()
}

func TestALazyContextIsUsedAgainUnlessSomebodyHasLooked(t *testing.T) {
	type key struct{}
	first := (*lazyContext)(nil).again(context.WithValue(t.Context(), key{}, 1), time.Minute)
	first.end(nil)
	second := first.again(context.WithValue(t.Context(), key{}, 2), time.Minute)
	if second != first || second.Err() != nil {
		t.Errorf("nobody had looked: got another context (%v), want the same, alive", second.Err())
	}
	if got := second.Value(key{}); got != 2 {
		t.Errorf("got the value %v, want that of the second call", got)
	}
	second.end(nil)
	if third := second.again(t.Context(), time.Minute); third == second {
		t.Error("somebody has looked and may still hold it: got the same context, want a new one")
	}
}
