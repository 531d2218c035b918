package stemgen_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stemgen"
)

// What an older build has enqueued is drained by a newer one, two versions later and
// under another name, and what a newer build has enqueued waits for one of its kind.
func TestQueuedTasksSurviveADeploy(t *testing.T) {
	dir := newModule(t)
	place := func(from, to string) {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, to), content)
	}
	// Two builds are never in one run: their tasks have the same names.
	generate := func(pkg, version string) {
		place(filepath.Join("testdata", "deploy", version), filepath.Join(pkg, "tasks.go"))
		out, err := stemgen.Generate(t.Context(), stemgen.Config{Dir: dir, Patterns: []string{"./" + pkg}})
		if err != nil || len(out.Diagnostics) > 0 {
			t.Fatal(version, err, out.Diagnostics)
		}
		for _, f := range out.Files {
			if err := f.Write(); err != nil {
				t.Fatal(err)
			}
		}
	}
	generate("before", "before.go")
	place(filepath.Join(dir, "before", stemgen.LockName), filepath.Join("after", stemgen.LockName))
	generate("after", "between.go")
	generate("after", "after.go")
	place(filepath.Join("testdata", "deploy", "main.go"), "main.go")
	want := `the old build has enqueued, the new one works
after.NudgeArgs {To:bob Via:}
after.WelcomeArgs to ada, -3 tries, locale "", London 7
the new build has enqueued, the old one works
before.RemindArgs {To:eve}
set aside: 1 mail.nudge true
set aside: 1 mail.welcome true
the new build works again
after.NudgeArgs {To:dan Via:sms}
after.WelcomeArgs to cyd, 1099511627776 tries, locale "it", Rome 1099511627776
left: 0 0
`
	if diff := cmp.Diff(goCommand(t, dir, "run", "."), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
