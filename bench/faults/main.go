// Command faults lets the same things go wrong for Stem, asynq and River, and prints what became of the tasks as a table in
// Markdown. It is what make chaos-peers starts. See docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
)

func main() {
	log.SetFlags(0)
	if text := os.Getenv(workerVariable); text != "" {
		if err := work(text); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(testpostgres.Main(command{}).Run())
}

// command is this program but for its workers: once it has run testpostgres removes what its servers shared.
type command struct{}

// Run does what the flags say, and gives the exit code.
func (command) Run() int {
	cfg := config{kills: 6, beat: 2 * time.Second}
	flag.DurationVar(&cfg.bound, "bound", 3*time.Minute, "how long the rescue of a task is waited for")
	flag.Uint64Var(&cfg.seed, "seed", uint64(time.Now().UnixNano()), "of what is drawn")
	abreast := flag.Int("abreast", 12, "how many are tried at a time")
	systems, stories := regexp.MustCompile("."), regexp.MustCompile(".")
	flag.TextVar(systems, "system", systems, "a regular expression: only these systems")
	flag.TextVar(stories, "fault", stories, "a regular expression: only these faults")
	flag.Parse()
	began := time.Now()
	rows, failed := try(context.Background(), cells(cfg, systems, stories), *abreast)
	fmt.Printf("%s, %s/%s, %d CPUs, %d tried at a time, a bound of %v, seed %d, %v in all.\n\n", began.UTC().Format("2 January 2006"),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *abreast, cfg.bound, cfg.seed, time.Since(began).Round(time.Second))
	writeTable(os.Stdout, rows, cfg.bound)
	if failed {
		return 1
	}
	return 0
}

// cells gives each system under each fault that its store can have.
func cells(cfg config, systems, stories *regexp.Regexp) (all []cell) {
	for _, f := range faults {
		for _, e := range entrants {
			if (f.store == "" || f.store == e.store) && systems.MatchString(e.name) && stories.MatchString(f.name) {
				all = append(all, cell{e, f, cfg})
			}
		}
	}
	return all
}

// config says how much goes wrong.
type config struct {
	bound time.Duration // of a rescue
	seed  uint64
	kills int
	beat  time.Duration // from one kill to the next, on average
}

// try runs cells, some at a time, and gives what those came to that could be tried.
func try(ctx context.Context, cells []cell, abreast int) (rows []row, failed bool) {
	found, errs := make([]row, len(cells)), make([]error, len(cells))
	turns := make(chan struct{}, abreast)
	var all sync.WaitGroup
	for i, c := range cells {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			found[i], errs[i] = c.try(ctx)
			if errs[i] != nil {
				log.Printf("%s, %s: %v", c.entrant.name, c.fault.name, errs[i])
				return
			}
			log.Printf("%s, %s: tried", c.entrant.name, c.fault.name)
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			failed = true
			continue
		}
		rows = append(rows, found[i])
	}
	return rows, failed
}
