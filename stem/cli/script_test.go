package cli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gostem/gostem/examples/embedded_cli/letters"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/cli"
)

var update = flag.Bool("update", false, "write the wanted outputs of the scripts anew")

func TestMain(m *testing.M) {
	testscript.Main(testpostgres.Main(testredis.Main(m)), map[string]func(){
		"stem": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, cli.Config{}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"shop":    shop,
		"letters": embedded,
	})
}

// The scripts are runs of the command as operators make them, each a process of its own, on a Redis of which each script
// has a part for itself.
func TestScripts(t *testing.T) {
	url := testredis.URL(t)
	run(t, testscript.Params{Dir: "testdata/script"}, url)
}

// What depends on the store is the same on PostgreSQL.
func TestScriptsOnPostgres(t *testing.T) {
	url := testpostgres.URL(t)
	run(t, testscript.Params{Files: []string{"testdata/script/walk.txtar", "testdata/postgres/migrate.txtar"}}, url)
}

// embedded is a program with tasks of its own, and schemas of these.
func embedded() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var tasks stem.Registry
	if err := letters.Register(&tasks); err != nil {
		panic(err)
	}
	cfg := cli.Config{Name: "letters", Registry: &tasks, Mask: []string{"Token"}}
	os.Exit(cli.Main(ctx, cfg, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(t *testing.T, params testscript.Params, url string) {
	params.UpdateScripts = *update
	params.Setup = func(env *testscript.Env) error {
		script := strings.TrimPrefix(env.WorkDir[strings.LastIndex(env.WorkDir, "/")+1:], "script-")
		env.Setenv("STEM_BROKER_URL", url)
		env.Setenv("STEM_WORKER_NAMESPACE", fmt.Sprintf("%s-%x", script, time.Now().UnixNano()))
		env.Setenv("STEM_CONFIG", env.WorkDir+"/contexts.yaml")
		return nil
	}
	params.Cmds = map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "shown": shown, "until": until}
	testscript.Run(t, params)
}

// exits runs a command that ends with an exit code: exits 3 stem dlq show --id none
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := runCommand(ts, args[1:])
	if (got == want) == neg {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}

// shown runs a command that ends well, and gives its output without what is different each time.
func shown(ts *testscript.TestScript, _ bool, args []string) {
	if got := runCommand(ts, args); got != 0 {
		ts.Fatalf("got exit code %d, want 0", got)
	}
}

// until runs a command again and again until it ends well with an output that matches: until 'mail +3' stem queue list
func until(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(20 * time.Second); ; {
		out, code := output(ts, args[1:])
		if code == 0 && want.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no %s in 20 s; got exit code %d and\n%s", args[0], code, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func runCommand(ts *testscript.TestScript, args []string) int {
	out, code := output(ts, args)
	fmt.Fprint(ts.Stdout(), stable(out))
	return code
}

func output(ts *testscript.TestScript, args []string) (string, int) {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	out, talk := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	fmt.Fprint(ts.Stderr(), talk)
	if exit != nil {
		return out, exit.ExitCode()
	}
	return out, 0
}

// varying is what is different each time, and what stands for it.
var varying = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|s|m|h|d))+\b`), "AGE"},
	{regexp.MustCompile(`(_seconds(\{[^}]*\} |"?: ?))[0-9.e-]+`), "${1}N"},
	{regexp.MustCompile(`("?pid"?: ?|, process )\d+`), "${1}PID"},
	{regexp.MustCompile(`("?host"?: ?)\S+`), "${1}HOST"},
	{regexp.MustCompile(`("?(next|delivery)"?: ?)[0-9a-z":]+`), "${1}N"},
	{regexp.MustCompile(`(\S) {2,}`), "$1  "},
}

func stable(text string) string {
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.as)
	}
	return text
}
