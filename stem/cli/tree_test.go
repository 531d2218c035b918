package cli_test

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/stem/cli"
)

// walk visits a command and all below it, but for those that cobra brings.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, below := range cmd.Commands() {
		if below.Name() != "help" {
			walk(below, visit)
		}
	}
}

func TestEveryCommandSaysWhatItIsAndShowsAnExample(t *testing.T) {
	root := cli.Root(cli.Config{})
	count := 0
	walk(root, func(cmd *cobra.Command) {
		count++
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: got %q, want one phrase without a full stop", path, cmd.Short)
		}
		if !strings.Contains("\n"+strings.ReplaceAll(cmd.Example, "\n", " \n")+" ", "\n  "+path+" ") && !cmd.HasSubCommands() {
			t.Errorf("%s: got the example %q, want one that runs it", path, cmd.Example)
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			checkExample(t, root, path, line)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no words", path, f.Name)
			}
			if f.Name != "help" && !f.Hidden && strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s: --%s: got %q, want no full stop", path, f.Name, f.Usage)
			}
		})
	})
	if count < 20 {
		t.Errorf("got %d commands: the walk is broken", count)
	}
}

// checkExample reports an example with a command or a flag that there is not.
func checkExample(t *testing.T, root *cobra.Command, path, line string) {
	t.Helper()
	rest, ok := strings.CutPrefix(line, "  stem ")
	if !ok {
		t.Errorf("%s: got the example %q, want two spaces and stem", path, line)
		return
	}
	rest, _, _ = strings.Cut(rest, " > ")
	args := strings.Fields(rest)
	cmd, _, err := root.Find(args)
	if err != nil || cmd == root {
		t.Errorf("%s: the example %q runs no command: %v", path, line, err)
		return
	}
	for _, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && cmd.Flag(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
			t.Errorf("%s: the example %q has --%s, which there is not", path, line, name)
		}
	}
}

func TestAProgramOfOnesOwnHasItsNameInTheExamples(t *testing.T) {
	walk(cli.Root(cli.Config{Name: "shop"}), func(cmd *cobra.Command) {
		if strings.Contains(cmd.Example, "  stem ") {
			t.Errorf("%s: got %q, want the program's name", cmd.CommandPath(), cmd.Example)
		}
	})
}
