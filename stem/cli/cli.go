package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/internal/nearest"
	"github.com/gostem/gostem/stem"
)

// Config is what a program brings to its command. The zero value is the command stem.
type Config struct {
	// Name is what the command is called. Default: stem.
	Name string
	// Version is that of the program. Default: that of its main module.
	Version string
	// Registry has the program's tasks. Without it nothing can be enqueued by name, and payloads are shown
	// without the names that a schema gives.
	Registry *stem.Registry
	// Mask are names of fields of args and results whose values nobody is shown, in any case and however deep they
	// lie: "password", "token". --mask names more of them.
	Mask []string
	// Open opens the stores of a command, of what flags, environment and contexts say. Default: cfg.Open(ctx).
	Open func(ctx context.Context, cfg *adapters.Config) (adapters.Stores, error)
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "stem"
	}
	if c.Open == nil {
		c.Open = func(ctx context.Context, cfg *adapters.Config) (adapters.Stores, error) { return cfg.Open(ctx) }
	}
	return c
}

// program is one run of the command.
type program struct {
	cfg            Config
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags
	printer        *printer
	stores         adapters.Config // once they have been opened
	makesTables    bool            // the command is one of a program's that uses the stores, not of one that looks at them
}

// flags are those of every command.
type flags struct {
	context, broker, backend, namespace string
	output                              string
	timeout                             time.Duration
	yes, noColour, verbose              bool
	actor, reason                       string
	mask                                []string
}

// Main runs the command with arguments, those behind its name, and answers the exit code. An error is told on stderr.
// When ctx ends the command does, after what it has begun.
func Main(ctx context.Context, cfg Config, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{cfg: cfg.withDefaults(), stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "ops: "), "stem: ")
		fmt.Fprintf(stderr, "%s: %s\n", p.cfg.Name, escapeLines(text))
	}
	return exitCode(err)
}

// root makes the command with all nouns below it.
func (p *program) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   p.cfg.Name,
		Short: "Operate background tasks: queues, tasks, dead letters and workers",
		Long: `Operate background tasks: queues, tasks, dead letters and workers.

The stores are those of --broker and --backend, of a context chosen with --context, of the environment
(STEM_BROKER_URL, STEM_RESULT_BACKEND_URL) or of the current context, in this order.

What was asked for goes to standard output, in the format of -o, and everything else to standard error.

Exit codes:
    0  done
    1  it failed, or a part of it
    2  the command line or the configuration cannot be understood
    3  what was named is not there
    4  it was refused: not confirmed, in conflict, or nothing that the store can do
    5  a store cannot be reached, or does not answer in time
    6  the task that was awaited has failed or was cancelled
  124  what was awaited did not happen in time`,
		Example: `  stem queue list
  stem dlq list --queue default --limit 20
  stem worker status --follow`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) (err error) {
			if p.flags.timeout < 0 {
				return usagef("--timeout %v: want 0 or more", p.flags.timeout)
			}
			p.printer, err = newPrinter(p.stdout, p.stderr, p.flags.output, p.flags.noColour)
			return err
		},
	},
		p.queueCommand(),
		p.taskCommand(),
		p.dlqCommand(),
		p.workerCommand(),
		p.observeCommand(),
		p.contextCommand(),
		p.configCommand(),
		p.healthCommand(),
		p.doctorCommand(),
		p.migrateCommand(),
		p.benchCommand(),
		p.completionCommand(),
		p.versionCommand(),
	)
	p.completeQueues(root)
	p.flags.register(root.PersistentFlags())
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.DisableDefaultCmd = true
	p.rename(root)
	return root
}

func (f *flags) register(set *pflag.FlagSet) {
	set.StringVar(&f.context, "context", "", "use the stores of this `context`")
	set.StringVar(&f.broker, "broker", "", "`URL` of the broker (STEM_BROKER_URL)")
	set.StringVar(&f.backend, "backend", "", "`URL` of the result backend (STEM_RESULT_BACKEND_URL); the broker unless it is set")
	set.StringVar(&f.namespace, "namespace", "", "`prefix` of Redis' keys, schema of PostgreSQL (STEM_WORKER_NAMESPACE); stem unless it is set")
	set.StringVarP(&f.output, "output", "o", asTable, "`format`: "+strings.Join(formats, ", "))
	set.DurationVar(&f.timeout, "timeout", 0, "give up after this `time`; 10s for what does not wait, no bound for what does")
	set.BoolVarP(&f.yes, "yes", "y", false, "do not ask before something that cannot be taken back")
	set.StringVar(&f.actor, "actor", whoever(), "`who` does it, for the record")
	set.StringVar(&f.reason, "reason", "", "`why` it is done, for the record")
	set.StringSliceVar(&f.mask, "mask", nil, "show the values of these `fields` of args and results as •••, in any case and however deep they lie")
	set.BoolVar(&f.noColour, "no-color", false, "no colour, also on a terminal (NO_COLOR)")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "also tell what the stores say of themselves")
}

// whoever gives the user and the machine.
func whoever() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// group makes a command of those below it. Alone it says which there are.
func group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(below...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Sprintf("%s has no command %s", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err += ": is " + strings.Join(near, " or ") + " meant?"
		}
		return usagef("%s (%s --help lists what there is)", err, cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		_ = cmd.Help()
		return usagef("which command of %s?", cmd.CommandPath())
	}
	return cmd
}

// wants checks the number of arguments of a command; what names them as in its Use.
func wants(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		return usagef("%s: %d arguments, want %s (%s --help shows an example)", cmd.CommandPath(), len(args), what, cmd.CommandPath())
	}
}

// flagError says what is wrong with a flag, and which one is near.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return usagef("%s: %w", cmd.CommandPath(), err)
	}
	name := missing.GetSpecifiedName()
	message := fmt.Sprintf("%s has no flag %s", cmd.CommandPath(), dashed(name))
	var near []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { near = append(near, f.Name) })
	if best := nearest.To(name, near); best != "" {
		message += ": is --" + best + " meant?"
	}
	return usagef("%s (%s --help lists what there is)", message, cmd.CommandPath())
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// rename puts the program's own name into the examples.
func (p *program) rename(cmd *cobra.Command) {
	if p.cfg.Name == "stem" {
		return
	}
	cmd.Example = strings.ReplaceAll(cmd.Example, "  stem ", "  "+p.cfg.Name+" ")
	for _, below := range cmd.Commands() {
		p.rename(below)
	}
}
