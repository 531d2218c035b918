package adapters_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of the guide has each variable once, in order, with its default where that is a value.
func TestTheGuideHasEveryVariable(t *testing.T) {
	text, err := os.ReadFile("../docs/guide/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Variable, Default string }
	var got, want []row
	for _, m := range regexp.MustCompile("(?m)^\\| `(STEM_[A-Z_]+)` \\| (?:`([^`]*)`)?").FindAllStringSubmatch(string(text), -1) {
		got = append(got, row{m[1], m[2]})
	}
	cfg := configured(t, nil)
	for _, s := range cfg.Sources() {
		r := row{s.Variable, s.Value}
		switch s.Variable {
		case "STEM_WORKER_QUEUES": // by another variable
			r.Default = "STEM_DEFAULT_QUEUE"
		case "STEM_WORKER_CONCURRENCY", "STEM_PREFETCH_MULTIPLIER": // no value
			r.Default = ""
		}
		want = append(want, r)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
