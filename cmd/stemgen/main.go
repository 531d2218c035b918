// Stemgen writes stem_gen.go into each package that has functions marked
// //stem:task or types marked //stem:codec, and stem.lock beside those with tasks. Use it
// as a tool of your module:
//
//	go get -tool github.com/gostem/gostem/cmd/stemgen
//
// then with a line in any file of the package
//
//	//go:generate go tool stemgen
//
// or for a whole module, in CI for instance, as
//
//	go tool stemgen -check ./...
//
// The lock remembers what tasks looked like on the wire. Of a change that queued tasks
// would not survive stemgen warns, and -check fails, until -accept records it.
//
// A directive stands directly above its function, its options behind it on the line:
//
//	//stem:task name=mail.welcome queue=bulk retries=5 timeout=30s
//
//	name=mail.welcome    what the task is called in every store; the default is package.function
//	alias=mail.hello     names that it had before, parted by commas; workers still run what waits under them
//	queue=bulk           where it waits
//	priority=5           0 to 9, higher first
//	retries=3            how many failed attempts may be followed by another
//	retry-for=6h         how long after the task was first due a retry may follow
//	backoff=exp(1s,5m)   how long before a retry; also fixed(10s) and linear(1s,1m)
//	timeout=30s          how long one run may take
//	soft-timeout=20s     when a run is warned before that
//	expires=1h           how long after it is enqueued it may still begin
//	visibility=10m       how long its worker may be silent before it runs elsewhere
//	tags=billing,eu      what people sort it by
//	var=Welcome          the name of its definition
//	args=WelcomeArgs     the name of the struct that carries its parameters
//	func=Enqueue         the name of a function that enqueues it
//
// A type can have a codec without a task. Then codec.For gives it, to definitions that are
// written by hand for instance:
//
//	//stem:codec
//	type OrderPaid struct{ OrderID string }
//
// Fields travel under their own names, or as a tag says: `msgpack:"name,omitempty,alias:old"`,
// `msgpack:"-"`; omitzero, inline and noinline are known too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/gostem/gostem/stemgen"
)

const usage = `usage: stemgen [flags] [packages]

Stemgen writes stem_gen.go into each package that has functions marked //stem:task
or types marked //stem:codec. Beside it stem.lock remembers what tasks looked like
before. Packages are named as for the go command; the default is the one in the
current directory.

It exits with 0 when all is well, with 1 when -check found files to be written or
removed, and with 2 when something is wrong with the packages or the command line, or
somebody has interrupted it.

`

// Exit codes.
const (
	exitClean = 0
	exitStale = 1
	exitWrong = 2
)

func main() { os.Exit(runUntilInterrupt(os.Args[1:], os.Stdout, os.Stderr)) }

// runUntilInterrupt runs until it is done, or somebody presses Ctrl-C.
func runUntilInterrupt(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	spareGarbageCollection()
	return run(ctx, args, stdout, stderr)
}

// spareGarbageCollection has garbage collected less often than a server would: a run is
// short, and what it builds for a large package it needs to the end. Somebody who has
// set GOGC or GOMEMLIMIT knows better.
func spareGarbageCollection() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(2 << 30)
	}
}

// A command is one run of stemgen.
type command struct {
	check, diff, json, verbose bool
	stdout, stderr             io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := command{stdout: stdout, stderr: stderr}
	var cfg stemgen.Config
	flags := flag.NewFlagSet("stemgen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&c.check, "check", false, "write nothing; list files that are stale, missing or orphaned")
	flags.BoolVar(&cfg.Accept, "accept", false, "record changes in stem.lock that what is queued would not survive")
	flags.BoolVar(&c.diff, "diff", false, "write nothing; show what would change")
	flags.BoolVar(&c.json, "json", false, "print diagnostics and states of files as JSON, one a line")
	flags.BoolVar(&c.verbose, "v", false, "name each file, also those that need no change")
	flags.StringVar(&cfg.Tags, "tags", "", "build `tags`, separated by commas")
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitClean
	case err != nil:
		return exitWrong
	}
	if c.check && cfg.Accept {
		fmt.Fprintln(stderr, "stemgen: -check and -accept exclude each other: one writes nothing, the other records changes")
		return exitWrong
	}
	cfg.Check = c.check
	cfg.Patterns = flags.Args()
	cfg.Logf = func(format string, args ...any) { fmt.Fprintf(stderr, "stemgen: "+format+"\n", args...) }

	out, err := stemgen.Generate(ctx, cfg)
	if err != nil {
		return c.fail(err)
	}
	wrong := c.report(out.Diagnostics)
	stale, err := c.settle(ctx, out.Files)
	switch {
	case err != nil:
		return c.fail(err)
	case wrong:
		return exitWrong
	case stale && c.check:
		return exitStale
	}
	return exitClean
}

// fail says why the run ends early.
func (c *command) fail(err error) int {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(c.stderr, "stemgen:", err)
	return exitWrong
}

// report prints the diagnostics and tells whether any of them is an error.
func (c *command) report(ds []stemgen.Diagnostic) (wrong bool) {
	for _, d := range ds {
		wrong = wrong || !d.Warning
		d.File = shorten(d.File)
		for i, other := range d.Related {
			d.Related[i].File = shorten(other.File)
		}
		if c.json {
			c.printJSON(d)
			continue
		}
		fmt.Fprintln(c.stderr, d)
	}
	return wrong
}

func (c *command) printJSON(v any) {
	line, err := json.Marshal(v)
	if err != nil { // a struct of strings and numbers always has a JSON form
		panic(err)
	}
	fmt.Fprintf(c.stdout, "%s\n", line)
}

// done says what has become of a file that was in a state.
var done = map[stemgen.State]string{
	stemgen.Current: "current", stemgen.Missing: "written", stemgen.Stale: "written", stemgen.Orphaned: "removed",
}

// settle writes the files, or shows what it would do. Interrupted, it leaves each file
// either as it was or as it should be.
func (c *command) settle(ctx context.Context, files []stemgen.File) (stale bool, err error) {
	for _, f := range files {
		if ctx.Err() != nil {
			return stale, ctx.Err()
		}
		name, state := shorten(f.Path), f.State()
		stale = stale || state != stemgen.Current
		if c.check || c.diff {
			c.show(f, name)
			continue
		}
		if err := f.Write(); err != nil {
			return stale, err
		}
		if c.verbose {
			c.tell(name, done[state], "")
		}
	}
	return stale, nil
}

// show says how a file stands, and what would change.
func (c *command) show(f stemgen.File, name string) {
	state, diff := f.State(), ""
	if c.diff && state != stemgen.Current {
		diff = unifiedDiff(name, f.Have, f.Want)
	}
	if !c.json {
		fmt.Fprint(c.stdout, diff)
	}
	if c.verbose || state != stemgen.Current && (c.check || c.json) {
		c.tell(name, string(state), diff)
	}
}

// tell says how a file stands, or what has become of it.
func (c *command) tell(name, state, diff string) {
	if !c.json {
		fmt.Fprintf(c.stderr, "%s: %s\n", name, state)
		return
	}
	c.printJSON(struct {
		File  string `json:"file"`
		State string `json:"state"`
		Diff  string `json:"diff,omitempty"`
	}{name, state, diff})
}

// shorten gives a path relative to the current directory where that is shorter.
func shorten(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}
