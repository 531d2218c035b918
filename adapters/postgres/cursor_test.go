package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem/ops"
)

// A cursor that is taken says the same when it is written again, is no longer than cursors may be, and is of no other list.
func FuzzCursor(f *testing.F) {
	print := int64(-7)
	f.Add((&position{holder: 3, priority: -9, seq: 12, print: &print, task: "demo.hello"}).cursor("ready"))
	f.Add("ready.0.0.0.0..")
	f.Add("ready.0.0.253402300800000000.0..")
	f.Add("ready.0.0.0.0..gICA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseCursor("ready", text)
		if err != nil || p == nil {
			return
		}
		if len(p.task) > longestName {
			return // it is written shorter
		}
		again := p.cursor("ready")
		if len(again) > ops.MaxCursor {
			t.Errorf("%d bytes, want %d at most", len(again), ops.MaxCursor)
		}
		same, err := parseCursor("ready", again)
		if diff := cmp.Diff(same, p, cmp.AllowUnexported(position{})); err != nil || diff != "" {
			t.Errorf("%v, read again -, want +:\n%s", err, diff)
		}
		if _, err := parseCursor("delayed", text); err == nil {
			t.Errorf("%q is taken for one of another list", text)
		}
	})
}
