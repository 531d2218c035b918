// Package cli is the command stem as a library. A program embeds it to give its operators the same command with
// the program's own tasks in it:
//
//	func main() {
//		cfg := cli.Config{Name: "shop", Version: version, Registry: registry}
//		os.Exit(cli.Main(context.Background(), cfg, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
//	}
//
// What was asked for goes to standard output, in the format of -o; all talk goes to standard error. What comes from a
// store is shown with its control characters escaped, and URLs without their passwords.
//
// Reading order: cli.go (the command and its flags), settings.go and contexts.go (which stores), session.go (open
// them), printer.go, table.go and json.go (say it), exit.go (how it ended), then one file for each noun.
package cli
