package redis

import (
	"testing"

	"github.com/gostem/gostem/stem/ops"
)

// A place is read as it was written, in as many bytes as a cursor may have, and by no other list; what nobody wrote is refused.
func FuzzCursor(f *testing.F) {
	f.Add("1700000000000-0", "mail")
	f.Add("\x00\xff", "")
	f.Add("00000000abcd", "tasks")
	f.Fuzz(func(t *testing.T, place, queue string) {
		list, other := cursorOf("tasks", queue), cursorOf("letters", queue)
		if got, err := list.read(place); err == nil && got != "" && list.write(got) != place {
			t.Errorf("%q is read as %q, which is written %q", place, got, list.write(got))
		}
		if len(place) > 90 || place == "" {
			return
		}
		text := list.write(place)
		if len(text) > ops.MaxCursor {
			t.Errorf("%d bytes, want %d at most", len(text), ops.MaxCursor)
		}
		if got, err := list.read(text); got != place || err != nil {
			t.Errorf("got %q, %v of %q, want %q", got, err, text, place)
		}
		if got, err := other.read(text); err == nil && other.check(place) != list.check(place) {
			t.Errorf("got %q of another list's cursor", got)
		}
	})
}
