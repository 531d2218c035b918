package memory

import "testing"

// A cursor that is taken says the same when it is written again, and is of no other list.
func FuzzCursor(f *testing.F) {
	f.Add(spot{1, -2, 3}.text("ready"))
	f.Add("ready.9223372036854775808.0.0")
	f.Add("ready.1.2")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseSpot("ready", text)
		if !ok {
			return
		}
		if same, ok := parseSpot("ready", s.text("ready")); !ok || same != s {
			t.Errorf("got %v, %v again, want %v", same, ok, s)
		}
		if _, ok := parseSpot("delayed", text); ok {
			t.Errorf("%q is taken for one of another list", text)
		}
	})
}
