package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/cli"
	"github.com/gostem/gostem/stem/ops"
)

func TestExitCodes(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("somewhere: %w", err) }
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"no error":                           {nil, cli.ExitOK},
		"any error":                          {errors.New("it broke"), cli.ExitFailed},
		"a command line that makes no sense": {wrapped(cli.Usagef("what")), cli.ExitUsage},
		"an option that is not allowed":      {wrapped(&stem.OptionError{Option: "queue"}), cli.ExitUsage},
		"nothing of that id":                 {wrapped(&ops.NotFoundError{}), cli.ExitNotFound},
		"no result":                          {wrapped(stem.ErrNoResult), cli.ExitNotFound},
		"a result that was forgotten":        {wrapped(stem.ErrResultExpired), cli.ExitNotFound},
		"a worker that there is not":         {wrapped(&ops.SilentError{Absent: []string{"a"}}), cli.ExitNotFound},
		"a worker that does not reply":       {wrapped(&ops.SilentError{Silent: make([]stem.WorkerInfo, 1)}), cli.ExitTimedOut},
		"nothing that the store can do":      {wrapped(errors.ErrUnsupported), cli.ExitRefused},
		"one of its kind is there":           {wrapped(&stem.UniqueConflictError{}), cli.ExitRefused},
		"nobody listens":                     {wrapped(&net.OpError{Op: "dial", Err: errors.New("refused")}), cli.ExitUnreachable},
		"a file that cannot be written":      {wrapped(&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}), cli.ExitFailed},
		"no answer in time":                  {wrapped(context.DeadlineExceeded), cli.ExitUnreachable},
		"a task failed":                      {wrapped(&stem.TaskError{}), cli.ExitTaskFailed},
		"a task was cancelled":               {wrapped(stem.ErrCancelled), cli.ExitTaskFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cli.ExitCode(c.err); got != c.want {
				t.Errorf("got exit code %d, want %d", got, c.want)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a plain text stays":             {"Grüße, 世界 🙂", "Grüße, 世界 🙂"},
		"a terminal's colours":           {"\x1b[31mred", `\x1b[31mred`},
		"a second line":                  {"a\nb\r\tc", `a\nb\r\tc`},
		"writing turned round":           {"abc\u202egpj.exe", `abc\u202egpj.exe`},
		"an isolate, a joiner and a tag": {"\u2066\u200d\U000e0041", `\u2066\u200d\U000e0041`},
		"control characters of Latin-1":  {"\u009b31m\x7f", `\u009b31m\x7f`},
		"separators of lines":            {"a\u2028b\u2029", `a\u2028b\u2029`},
		"what is not UTF-8":              {"a\xffb", `a\xffb`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cli.Escape(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestADurationIsToldInTwoUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-3 * time.Minute: "-3m", 1234 * time.Microsecond: "1ms", 12340 * time.Millisecond: "12.3s", 50 * time.Minute: "50m",
		2*time.Minute + 50*time.Second: "2m50s", time.Hour - time.Millisecond: "1h", 10 * time.Hour: "10h", 90 * time.Minute: "1h30m",
		3*time.Hour + 10*time.Minute + time.Second: "3h10m", 50 * time.Hour: "2d2h",
	} {
		if got := cli.Age(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

// hostile is what a store may hold, as a view.
var hostile = map[string]any{
	"esc\x1b": "a\x1b[31m", "bidi": "a\u202eb", "tag": "\U000e0041", "del": "\x7f\u0085", "line": "a\nb: c\n", "comment": "a #b",
	"number": "1e3", "word": "No", "none": nil, "null": "null", "empty": "", "dash": "- a", "colon": "a: b", "time": "2026-01-01",
	"plain": "a plain text", "big": 12345678901234567, "list": []any{"a", []any{1.5, "2"}, map[string]any{"k": []any{}, "l": map[string]any{}}},
	"deep": map[string]any{"a": map[string]any{"b": true}}, "markup": "<a&b>", "invalid": "a\xff",
}

func TestJSONAndYAMLSayTheSameAndNothingToATerminal(t *testing.T) {
	line, err := cli.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := cli.WriteYAML(&text, line); err != nil {
		t.Fatal(err)
	}
	for name, written := range map[string]string{"JSON": string(line), "YAML": text.String()} {
		if got := cli.Escape(strings.ReplaceAll(written, "\n", "")); got != strings.ReplaceAll(written, "\n", "") {
			t.Errorf("%s holds what a terminal would obey: %s", name, got)
		}
		var got any
		if err := yaml.Unmarshal([]byte(written), &got); err != nil {
			t.Fatalf("%s cannot be read: %v\n%s", name, err, written)
		}
		want := map[string]any{}
		for k, v := range hostile {
			want[k] = v
		}
		want["invalid"], want["big"] = "a\ufffd", uint64(12345678901234567)
		want["list"] = []any{"a", []any{1.5, "2"}, map[string]any{"k": []any{}, "l": map[string]any{}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", name, diff, written)
		}
	}
}
