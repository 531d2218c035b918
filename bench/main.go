// Command bench compares Stem with its peers and with hand-written loops, and prints a table. See README.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"time"
)

// cell is one figure to find: what a child process is told.
type cell struct {
	Measure string
	System  string
	Before  bool // the part before the measure
	Addr    string
	For     time.Duration
	Due     time.Time // when scheduled tasks are due
	Profile string    // what the names of profiles begin with; "" for none
}

func main() {
	log.SetFlags(0)
	if text := os.Getenv("STEM_BENCH_CELL"); text != "" {
		if err := child(context.Background(), text); err != nil {
			log.Fatal(err)
		}
		return
	}
	var cfg config
	var only, systems string
	flag.DurationVar(&cfg.during, "for", 1500*time.Millisecond, "how long a measure takes, about")
	flag.IntVar(&cfg.rounds, "rounds", 3, "how often each is measured; medians are shown")
	flag.StringVar(&only, "measure", ".", "a regular expression: only these measures")
	flag.StringVar(&systems, "system", ".", "a regular expression: only these systems")
	flag.BoolVar(&cfg.json, "json", false, "print JSON")
	flag.StringVar(&cfg.profiles, "profile", "", "a folder for profiles of the clients: CPU and allocations")
	flag.Parse()
	var err error
	if cfg.measures, err = regexp.Compile(only); err != nil {
		log.Fatal(err)
	}
	if cfg.systems, err = regexp.Compile(systems); err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), cfg, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// config says what to compare.
type config struct {
	during   time.Duration
	rounds   int
	measures *regexp.Regexp
	systems  *regexp.Regexp
	json     bool
	profiles string
}

// run measures and prints. The measure is the outer loop and the systems are the inner one, so that what is
// compared has run within a minute.
func run(ctx context.Context, cfg config, out io.Writer) error {
	var all []outcome
	for _, m := range measures {
		if !cfg.measures.MatchString(m.name) {
			continue
		}
		rows := make([]outcome, 0, len(m.systems))
		for _, s := range m.systems {
			if cfg.systems.MatchString(s) {
				rows = append(rows, outcome{Measure: m.name, System: s})
			}
		}
		for round := range cfg.rounds {
			for i := range rows {
				next := &rows[(i+round)%len(rows)] // another begins each time
				f, err := one(ctx, cfg, m, next.System)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", m.name, next.System, err)
				}
				fmt.Fprintf(os.Stderr, "%s, %s: %s\n", m.name, next.System, row{figures: f}.headline())
				next.Rounds = append(next.Rounds, f)
			}
		}
		all = append(all, rows...)
	}
	if cfg.json {
		return writeJSON(out, all)
	}
	return writeTables(out, all)
}

// one measures a system once, on a server of its own.
func one(ctx context.Context, cfg config, m measure, system string) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	s, err := startServer(ctx)
	if err != nil {
		return figures{}, err
	}
	defer s.stop()
	c := cell{Measure: m.name, System: system, Addr: s.addr, For: cfg.during}
	c.Due = time.Now().Add(6*cfg.during + 2*time.Second)
	if m.before != nil {
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

// spawn does a cell in a child process.
func spawn(ctx context.Context, c cell) (figures, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return figures{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), "STEM_BENCH_CELL="+string(text))
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return figures{}, err
	}
	var f figures
	return f, json.Unmarshal(stdout.Bytes(), &f)
}

// child does a cell and prints its figures.
func child(ctx context.Context, text string) error {
	var c cell
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	for _, m := range measures {
		if m.name == c.Measure {
			f, err := c.do(ctx, m)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(f)
		}
	}
	return fmt.Errorf("there is no measure %q", c.Measure)
}

func (c cell) do(ctx context.Context, m measure) (figures, error) {
	t := new(trips)
	system, err := newSystem(ctx, c.System, c.Addr, t)
	if err != nil {
		return figures{}, err
	}
	b := &bench{cell: c, system: system, meter: newMeter(c.Addr, t)}
	if c.Before {
		return figures{}, m.before(ctx, b)
	}
	if c.Profile == "" {
		return m.run(ctx, b)
	}
	return c.profiled(func() (figures, error) { return m.run(ctx, b) })
}

// profiled writes profiles of what is done: <Profile>.cpu and <Profile>.allocs.
func (c cell) profiled(do func() (figures, error)) (figures, error) {
	cpu, err := os.Create(c.Profile + ".cpu")
	if err != nil {
		return figures{}, err
	}
	defer cpu.Close()
	allocs, err := os.Create(c.Profile + ".allocs")
	if err != nil {
		return figures{}, err
	}
	defer allocs.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return figures{}, err
	}
	f, err := do()
	pprof.StopCPUProfile()
	return f, errors.Join(err, pprof.Lookup("allocs").WriteTo(allocs, 0))
}
