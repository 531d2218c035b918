package cli_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/cli"
)

const guide = "../../docs/guide/cli.md"

// The guide's lists are those of the command itself.
func TestTheGuideListsTheCommandsAndExitCodesThatThereAre(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	want := section(t, string(text), "commands", commandsTable())
	want = section(t, want, "codes", codesTable(t))
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: go test ./stem/cli -run Guide -update", guide)
	}
	if err := os.WriteFile(guide, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// section replaces what stands between the marks of a list.
func section(t *testing.T, text, name, list string) string {
	t.Helper()
	start := regexp.MustCompile(`<!-- ` + name + `: [^\n]*-->\n`).FindStringIndex(text)
	if start == nil {
		t.Fatalf("%s has no mark of %s", guide, name)
	}
	rest := text[start[1]:]
	end := strings.Index(rest, "<!-- end -->")
	if end < 0 {
		t.Fatalf("%s has no end of %s", guide, name)
	}
	return text[:start[1]] + list + rest[end:]
}

func commandsTable() string {
	table := "| | |\n|---|---|\n"
	walk(cli.Root(cli.Config{}), func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			return
		}
		table += fmt.Sprintf("| `%s` | %s |\n", strings.TrimSuffix(cmd.UseLine(), " [flags]"), cmd.Short)
	})
	return table
}

// codesTable is made of the help of the command, which must have all codes.
func codesTable(t *testing.T) string {
	t.Helper()
	table := "| | |\n|---|---|\n"
	help := cli.Root(cli.Config{}).Long
	for _, code := range []int{cli.ExitOK, cli.ExitFailed, cli.ExitUsage, cli.ExitNotFound, cli.ExitRefused, cli.ExitUnreachable, cli.ExitTaskFailed, cli.ExitTimedOut} {
		line := regexp.MustCompile(fmt.Sprintf(`(?m)^ +%d  (.+)$`, code)).FindStringSubmatch(help)
		if line == nil {
			t.Fatalf("the help of the command does not tell exit code %d", code)
		}
		table += fmt.Sprintf("| %d | %s |\n", code, line[1])
	}
	return table
}
