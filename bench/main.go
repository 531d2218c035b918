// Command bench compares Stem with its peers and with hand-written loops, and prints a table. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
)

func main() {
	log.SetFlags(0)
	if text := os.Getenv(cellVariable); text != "" {
		if err := child(context.Background(), text); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(testpostgres.Main(command{}).Run())
}

// command is this program but for its children: once it has run testpostgres removes what its servers shared.
type command struct{}

// Run does what the flags say, and gives the exit code.
func (command) Run() int {
	var cfg config
	var only, systems string
	var quick bool
	flag.DurationVar(&cfg.during, "for", 1500*time.Millisecond, "how long a measure takes, about")
	flag.IntVar(&cfg.rounds, "rounds", 3, "how often each is measured; medians are shown")
	flag.StringVar(&only, "measure", ".", "a regular expression: only these measures")
	flag.StringVar(&systems, "system", ".", "a regular expression: only these systems")
	flag.Int64Var(&cfg.backlog, "backlog", 1_000_000, "how many tasks wait where claims are timed")
	flag.BoolVar(&cfg.json, "json", false, "print JSON")
	flag.StringVar(&cfg.profiles, "profile", "", "a folder for profiles of the clients: CPU and allocations")
	flag.StringVar(&cfg.keep, "keep", "", "a folder for bench.md, bench.json and bench.txt, which benchstat reads")
	flag.BoolVar(&quick, "quick", false, "a look at what matters most in less than five minutes: one short round of Stem, its peers and their limits")
	flag.StringVar(&cfg.folder, "folder", "", "where servers have their data, on a disk perhaps; memory unless it is set")
	flag.Parse()
	if quick {
		cfg.during, cfg.rounds, only, systems = 150*time.Millisecond, 1, quickMeasures, quickSystems
	}
	var err error
	if cfg.measures, err = regexp.Compile(only); err != nil {
		log.Print(err)
		return 2
	}
	if cfg.systems, err = regexp.Compile(systems); err != nil {
		log.Print(err)
		return 2
	}
	if err := run(context.Background(), cfg, os.Stdout); err != nil {
		log.Print(err)
		return 1
	}
	return 0
}

// config says what to compare.
type config struct {
	during   time.Duration
	rounds   int
	measures *regexp.Regexp
	systems  *regexp.Regexp
	backlog  int64
	json     bool
	profiles string
	folder   string
	keep     string
}

// What a quick run looks at.
const (
	quickMeasures = "enqueue|batch of 1,000|drain c10$|drain c100$|produce|scheduled|latency|stored"
	quickSystems  = "^(mem-stem|channel|stem|asynq|raw-fenced|pg-stem|river-tuned|pg-raw-fenced)$"
)

// run measures and prints, where something has failed what was found before.
func run(ctx context.Context, cfg config, out io.Writer) error {
	var all []outcome
	var failed error
	heading := setting(cfg)
	for _, m := range measures {
		if failed == nil && cfg.measures.MatchString(m.name) {
			var outcomes []outcome
			outcomes, failed = compare(ctx, cfg, m)
			all = append(all, outcomes...)
		}
	}
	bars := barsOf(cfg.folder != "")
	if cfg.keep != "" {
		failed = errors.Join(failed, keep(cfg.keep, heading, all, bars))
	}
	if cfg.json {
		return errors.Join(failed, writeJSON(out, all))
	}
	return errors.Join(failed, writeHeading(out, heading), writeTables(out, all, bars))
}

// compare takes the systems in turn, so that what is compared has run within a minute, and begins with another
// each round.
func compare(ctx context.Context, cfg config, m measure) ([]outcome, error) {
	var outcomes []outcome
	for _, s := range m.systems {
		if cfg.systems.MatchString(s) {
			outcomes = append(outcomes, outcome{Measure: m.name, System: s})
		}
	}
	for round := range cfg.rounds {
		for i := range outcomes {
			next := &outcomes[(i+round)%len(outcomes)]
			f, err := one(ctx, cfg, m, next.System)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", m.name, next.System, err)
			}
			fmt.Fprintf(os.Stderr, "%s, %s: %s\n", m.name, next.System, row{outcome: *next, figures: f}.headline())
			next.Rounds = append(next.Rounds, f)
		}
	}
	return outcomes, nil
}

// one measures a system once. Where tasks were due before all was ready they get more time.
func one(ctx context.Context, cfg config, m measure, system string) (figures, error) {
	lead := 6*cfg.during + 2*time.Second
	for range 4 {
		f, err := attempt(ctx, cfg, m, system, lead)
		if !f.TooLate {
			return f, err
		}
		lead *= 2
	}
	return figures{}, errors.New("the machine is too slow: tasks were due before the worker had started")
}

// attempt measures on a server of its own.
func attempt(ctx context.Context, cfg config, m measure, system string, lead time.Duration) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute+time.Duration(cfg.backlog)*50*time.Microsecond)
	defer cancel()
	s, err := storeOf(system).start(ctx, cfg.folder)
	if err != nil {
		return figures{}, err
	}
	defer s.stop()
	c := cell{Measure: m.name, System: system, Addr: s.addr, PID: s.pid, For: cfg.during, Backlog: cfg.backlog, Due: time.Now().Add(lead)}
	if m.before != nil && !storeOf(system).inProcess {
		c.Before = true
		if _, err := spawn(ctx, c); err != nil {
			return figures{}, fmt.Errorf("before: %w", err)
		}
		c.Before = false
	}
	if cfg.profiles != "" {
		c.Profile = filepath.Join(cfg.profiles, fileName.Replace(m.name)+"-"+system)
	}
	return spawn(ctx, c)
}

// fileName makes a measure's name part of one.
var fileName = strings.NewReplacer(" ", "-", ",", "", "/", "-per-")
