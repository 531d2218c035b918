package stem_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/gostem/gostem/stem"
)

// What a variable is refused for can be shown to anybody; what it is taken for makes envelopes that are sound. A back-off that is read
// and written as a directive writes it is the same again.
func FuzzDefaultsFromEnv(f *testing.F) {
	for _, seed := range [][2]string{
		{"QUEUE", "bulk"}, {"PRIORITY", "9"}, {"MAX_RETRIES", "-1"}, {"RETRY_FOR", "6h"}, {"BACKOFF", "exp(1s,5m)"}, {"BACKOFF", "linear(1s, 1m)"},
		{"BACKOFF", "fixed(-1s)"}, {"BACKOFF", "exp(1s,5m"}, {"BACKOFF", "fixed(2562047h47m16.854775807s)"}, {"TIMEOUT", "30s"}, {"SOFT_TIMEOUT", "20s"},
		{"EXPIRES", "1h"}, {"VISIBILITY", "10m"}, {"KEEP_RESULT", "0"}, {"COLOUR", "\x1b[31m"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		defaults, err := stem.DefaultsFromEnv([]string{"STEM_DEFAULT_" + name + "=" + text})
		if err != nil {
			var refused *stem.OptionError
			if !errors.As(err, &refused) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("got %q, want an *OptionError that can be shown", err)
			}
			return
		}
		e, err := published(t, defaults, nil, nil)
		if err == nil {
			err = e.Validate()
		}
		if err != nil {
			t.Fatalf("%q is taken and makes no envelope: %v", text, err)
		}
		if name != "BACKOFF" {
			return
		}
		again, err := stem.DefaultsFromEnv([]string{"STEM_DEFAULT_BACKOFF=" + written(e.Backoff)})
		if err != nil {
			t.Fatalf("%q was taken for %s, which is refused: %v", text, written(e.Backoff), err)
		}
		if same, err := published(t, again, nil, nil); err != nil || same.Backoff != e.Backoff {
			t.Errorf("got %+v, %v of %s, want %+v", same.Backoff, err, written(e.Backoff), e.Backoff)
		}
	})
}

// written gives a back-off as a directive writes it.
func written(p stem.BackoffPolicy) string {
	switch p.Kind {
	case stem.BackoffFixed:
		return fmt.Sprintf("fixed(%v)", p.Base)
	case stem.BackoffLinear:
		return fmt.Sprintf("linear(%v,%v)", p.Base, p.Cap)
	default:
		return fmt.Sprintf("exp(%v,%v)", p.Base, p.Cap)
	}
}
