package limit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem/limit"
)

// Turns that are alike are one group, wherever they stand, unless another in their bucket comes between them.
func TestAlikeTurnsKeepTheOrderOfTheirBucket(t *testing.T) {
	a, b := limit.Turn{Bucket: "a", Interval: time.Second}, limit.Turn{Bucket: "b", Interval: time.Second}
	again := a
	again.Reserved = true
	got := limit.Alike([]limit.Turn{a, b, a, again, b, a, a, again})
	want := [][]int{{0, 2}, {1, 4}, {3}, {5, 6}, {7}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("groups: got -, want +:\n%s", diff)
	}
}
