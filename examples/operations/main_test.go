package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
)

// page is the walk, as one types it from the root of the repository.
const page = "../../docs/guide/operations.md"

// told is what an operator who walks is told, in this order.
var told = []string{
	`STEM_BROKER_URL .* ok `,
	`Failure: +error: the gateway does not answer`, `exit code 6`, `exit code 6`,
	`default +served +0 +0 +0 +0 +2`,
	`order-2 +till\.charge`, `order-1 +till\.charge`,
	`Reason: +error: the gateway does not answer`, `"Number": "1"`, `"Card": "•••"`,
	`2 dead letters would be replayed`, `2 dead letters replayed`, `No dead letters`,
	`Replayed: +1 times`,
	`Queue default is paused`, `Why it waits:\s+paused +queue default is paused`, `Queue default goes on`,
	`order 3 is paid`,
	`till +up`,
	`1 tasks revoked`, `State: +cancelled`, `the wrong month`, `exit code 6`,
	`Nothing of queue default runs`,
	`till +stopped`,
	`durability`,
}

func TestTheWalkOfTheGuide(t *testing.T) {
	for store, url := range map[string]func(t *testing.T) string{
		"Redis":      func(t *testing.T) string { return testredis.Start(t, testredis.Config{}).URL() },
		"PostgreSQL": func(t *testing.T) string { return testpostgres.Start(t, testpostgres.Config{}).URL() },
	} {
		t.Run(store, func(t *testing.T) {
			said := walk(t, url(t))
			at := 0
			for _, want := range told {
				found := regexp.MustCompile(want).FindStringIndex(said[at:])
				if found == nil {
					t.Fatalf("after the first %d bytes want %s; the walk said:\n%s", at, want, said)
				}
				at += found[1]
			}
			if card := regexp.MustCompile(`400[012]`).FindString(said); card != "" {
				t.Errorf("got the card %s, want all of them masked:\n%s", card, said)
			}
		})
	}
}

// walk types the commands of the page, one after the other, and gives what they say. Only the folder and the store are others.
func walk(t *testing.T, url string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := "set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		script += block[1]
	}
	for from, to := range map[string]string{
		"/tmp/stem-walk":           dir,
		"redis://localhost:6379/0": "'" + url + "'",
		"kill $till\nwait $till":   "kill $till; wait $till || { cat till.log; exit 1; }",
	} {
		if !strings.Contains(script, from) {
			t.Fatalf("the page has no %q", from)
		}
		script = strings.ReplaceAll(script, from, to)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir = filepath.Join("..", "..")
	shell.Env = append(os.Environ(), "STEM_CONFIG="+filepath.Join(dir, "no contexts"), "PGSSLMODE=disable")
	said, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("the walk ended with %v:\n%s", err, said)
	}
	return string(said)
}

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(testredis.Main(m)).Run()) }
