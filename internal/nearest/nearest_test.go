package nearest_test

import (
	"strings"
	"testing"

	"github.com/gostem/gostem/internal/nearest"
)

func TestTheNearestWordIsWhatAPersonMeant(t *testing.T) {
	options := []string{"name", "queue", "priority", "retries", "timeout", "soft-timeout", "var", "args"}
	for word, want := range map[string]string{
		"retires": "retries", "retry": "", "Queue": "queue", "prio": "priority", "time_out": "timeout", "Timeout": "timeout",
		"soft_timeout": "soft-timeout", "arg": "args", "vra": "var", "x": "", "bogus": "", "": "", strings.Repeat("q", 1<<20): "",
	} {
		if got := nearest.To(word, options); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
