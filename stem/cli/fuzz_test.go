package cli_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/stem/cli"
)

// leaves gives the commands that do something, by their paths.
func leaves(cmd *cobra.Command) (all []*cobra.Command) {
	for _, below := range cmd.Commands() {
		all = append(all, leaves(below)...)
	}
	if cmd.Runnable() && !cmd.HasSubCommands() {
		all = append(all, cmd)
	}
	return all
}

// Whatever stands behind a command, its flags are taken or refused. A flag that is taken takes its own text, which says the same.
func FuzzFlags(f *testing.F) {
	for _, seed := range []string{
		"--queue\nmail", "-q=mail\n--limit=10", "--after\nready.1.2.3", "--since=90m", "--since=2026-01-31 15:04:05.000Z", "--since=2026-01-31T15:04:05Z", "--until=0001-01-01", "--delay=1h", "--header=a=b",
		"--state=ready", "--timeout=-1s", "--output=yaml", "--\n--queue", "-", "--limit=9999999999999999999", "-qlmail",
	} {
		f.Add(uint8(len(seed)), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		root := cli.Root(cli.Config{})
		all := leaves(root)
		cmd := all[int(which)%len(all)]
		if err := cmd.ParseFlags(strings.Split(text, "\n")); err != nil {
			return
		}
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			if strings.HasSuffix(flag.Value.Type(), "Array") || strings.HasSuffix(flag.Value.Type(), "Slice") {
				return // their own text is not one that they take
			}
			first := flag.Value.String()
			if first == "" {
				return // as if it were not set, also for the first instant of all
			}
			if err := flag.Value.Set(first); err != nil {
				t.Errorf("%s --%s took %q of %q and refuses it now: %v", cmd.CommandPath(), flag.Name, first, text, err)
			} else if again := flag.Value.String(); again != first {
				t.Errorf("%s --%s: got %q of its own text %q", cmd.CommandPath(), flag.Name, again, first)
			}
		})
	})
}

// What is shown of any text is on one line and steers no terminal; what does neither is shown as it is.
func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\xff\n")
	f.Add("\u202egnp.exe\u2028\U000e0001")
	f.Fuzz(func(t *testing.T, text string) {
		shown := cli.Escape(text)
		if strings.ToValidUTF8(shown, "") != shown || strings.ContainsFunc(shown, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) }) {
			t.Errorf("%q is shown as %q", text, shown)
		}
		if again := cli.Escape(shown); again != shown {
			t.Errorf("got %q of %q, want the same", again, shown)
		}
	})
}
