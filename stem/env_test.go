package stem_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func TestEachVariableIsADefault(t *testing.T) {
	tests := []struct {
		variable string
		set      func(e *stem.Envelope)
	}{
		{"STEM_DEFAULT_QUEUE=bulk", func(e *stem.Envelope) { e.Queue = "bulk" }},
		{"STEM_DEFAULT_PRIORITY=9", func(e *stem.Envelope) { e.Priority = 9 }},
		{"STEM_DEFAULT_MAX_RETRIES=0", func(e *stem.Envelope) { e.MaxRetries = 0 }},
		{"STEM_DEFAULT_RETRY_FOR=6h", func(e *stem.Envelope) { e.RetryFor = 6 * time.Hour }},
		{"STEM_DEFAULT_BACKOFF=fixed(10s)", func(e *stem.Envelope) { e.Backoff = stem.FixedBackoff(10 * time.Second) }},
		{"STEM_DEFAULT_BACKOFF=linear(1s, 1m)", func(e *stem.Envelope) { e.Backoff = stem.LinearBackoff(time.Second, time.Minute) }},
		{"STEM_DEFAULT_BACKOFF=exp(1s,5m)", func(e *stem.Envelope) { e.Backoff = stem.ExponentialBackoff(time.Second, 5*time.Minute) }},
		{"STEM_DEFAULT_TIMEOUT=30s", func(e *stem.Envelope) { e.Timeout = 30 * time.Second }},
		{"STEM_DEFAULT_SOFT_TIMEOUT=20s", func(e *stem.Envelope) { e.SoftTimeout = 20 * time.Second }},
		{"STEM_DEFAULT_EXPIRES=1h", func(e *stem.Envelope) { e.ExpiresIn = time.Hour }},
		{"STEM_DEFAULT_VISIBILITY=10m", func(e *stem.Envelope) { e.Visibility = 10 * time.Minute }},
		{"STEM_DEFAULT_KEEP_RESULT=0", func(e *stem.Envelope) { e.KeepResult = 0 }},
		{"STEMDEFAULT_QUEUE=another's", func(*stem.Envelope) {}},
	}
	shown := map[string]bool{"STEM_DEFAULT_": true}
	for _, tt := range tests {
		name, _, _ := strings.Cut(tt.variable, "=")
		shown[name] = true
		t.Run(tt.variable, func(t *testing.T) {
			defaults, err := stem.DefaultsFromEnv([]string{"PATH=/bin", tt.variable, "=C:"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := published(t, defaults, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := published(t, nil, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			want.ID = got.ID
			tt.set(&want)
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
	_, err := stem.DefaultsFromEnv([]string{"STEM_DEFAULT_=1"})
	if err == nil {
		t.Fatal("got nil for a variable without a name, want an error that lists them all")
	}
	for _, name := range regexp.MustCompile(`STEM_DEFAULT_[A-Z_]+`).FindAllString(err.Error(), -1) {
		if !shown[name] {
			t.Errorf("no case shows what %s does", name)
		}
	}
}

func TestVariablesThatSayNothingAreNamed(t *testing.T) {
	tests := []struct{ variable, want string }{
		{"STEM_DEFAULT_QUEUE=a b", `STEM_DEFAULT_QUEUE "a b": want the name of a queue`},
		{"STEM_DEFAULT_QUEUE=", `STEM_DEFAULT_QUEUE "": want the name of a queue`},
		{"STEM_DEFAULT_PRIORITY=10", `STEM_DEFAULT_PRIORITY "10": want 0 to 9`},
		{"STEM_DEFAULT_MAX_RETRIES=many", `STEM_DEFAULT_MAX_RETRIES "many": want 0 or a positive number`},
		{"STEM_DEFAULT_RETRY_FOR=6", `STEM_DEFAULT_RETRY_FOR "6": want a duration such as 6h`},
		{"STEM_DEFAULT_BACKOFF=10s", `STEM_DEFAULT_BACKOFF "10s": want fixed(10s), linear(1s,1m) or exp(1s,5m)`},
		{"STEM_DEFAULT_BACKOFF=exp(5m,1s)", `STEM_DEFAULT_BACKOFF "exp(5m,1s)": want`},
		{"STEM_DEFAULT_BACKOFF=fixed(10s", `STEM_DEFAULT_BACKOFF "fixed(10s": want`},
		{"STEM_DEFAULT_BACKOFF=fixed(-1s)", `STEM_DEFAULT_BACKOFF "fixed(-1s)": want`},
		{"STEM_DEFAULT_TIMEOUT=-1s", `STEM_DEFAULT_TIMEOUT "-1s": want a duration such as 30s, or 0 for none`},
		{"STEM_DEFAULT_SOFT_TIMEOUT=x", `STEM_DEFAULT_SOFT_TIMEOUT "x": want`},
		{"STEM_DEFAULT_EXPIRES=", `STEM_DEFAULT_EXPIRES "": want`},
		{"STEM_DEFAULT_VISIBILITY=1", `STEM_DEFAULT_VISIBILITY "1": want`},
		{"STEM_DEFAULT_KEEP_RESULT=1d", `STEM_DEFAULT_KEEP_RESULT "1d": want`},
		{"STEM_DEFAULT_RETRIES=3", `variable "STEM_DEFAULT_RETRIES": want one of STEM_DEFAULT_QUEUE, `},
	}
	var all []string
	for _, tt := range tests {
		t.Run(tt.variable, func(t *testing.T) {
			opts, err := stem.DefaultsFromEnv([]string{tt.variable})
			var option *stem.OptionError
			if !errors.As(err, &option) || !strings.Contains(err.Error(), tt.want) || opts != nil {
				t.Errorf("got %d options and %v, want a *stem.OptionError with %s", len(opts), err, tt.want)
			}
		})
		all = append(all, tt.variable)
	}
	_, err := stem.DefaultsFromEnv(all)
	for _, tt := range tests {
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("all at once: got %v, want it to tell %s", err, tt.want)
		}
	}
}
