package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

func (p *program) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write what makes a shell complete this command",
		Long: `Write what makes a shell complete this command: nouns, verbs and flags, the queues of the store where that answers within
a second, and the tasks that the program knows.`,
		Example: `  stem completion bash > /etc/bash_completion.d/stem
  stem completion zsh > "${fpath[1]}/_stem"
  stem completion fish > ~/.config/fish/completions/stem.fish
  stem completion powershell > stem.ps1`,
		Args:      wants(1, 1, "bash, zsh, fish or powershell"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(p.stdout)
			}
			return usagef("completion %s: want bash, zsh, fish or powershell", escape(args[0]))
		},
	}
}

// completeQueues has queues completed wherever they are said: as --queue, or as what a command is about.
func (p *program) completeQueues(cmd *cobra.Command) {
	if cmd.Flags().Lookup("queue") != nil {
		_ = cmd.RegisterFlagCompletionFunc("queue", p.completeQueue) // it fails for a flag that is not there
	}
	if strings.Contains(cmd.Use, " QUEUE") {
		cmd.ValidArgsFunction = p.completeQueue
	}
	for _, below := range cmd.Commands() {
		p.completeQueues(below)
	}
}

// completionPatience is how long a person waits for what the Tab key brings.
const completionPatience = time.Second

// completeQueue gives the queues of the store. It says nothing of what goes wrong: somebody is typing.
func (p *program) completeQueue(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	stores, err := p.openStores(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer stores.Close()
	lister, ok := stem.As[ops.QueueLister](stores.Broker)
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	queues, _ := lister.Queues(ctx)
	queues = slices.DeleteFunc(queues, func(queue string) bool { return escape(queue) != queue }) // it goes to the terminal as it is
	return queues, cobra.ShellCompDirectiveNoFileComp
}

// completeTask gives the tasks that the program knows.
func (p *program) completeTask(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if p.cfg.Registry != nil {
		for _, spec := range p.cfg.Registry.Tasks() {
			names = append(names, cobra.CompletionWithDesc(spec.Name, spec.Description))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
