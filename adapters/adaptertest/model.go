package adaptertest

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// RunModel runs random programs of one caller on a store, each on a fresh one: they publish,
// receive, extend, settle, save, load, revoke and pause, let sessions lapse and move the clock, as
// far as the store can. Each answer must be one that the contract allows, which a
// small model of it knows. At the end of a program everything is received and
// acknowledged, and nothing may be missing or left over.
//
// A program that fails is shortened and shown, with the flag that repeats it. The flags are
// those of [pgregory.net/rapid]: with -rapid.checks=N (or RAPID_CHECKS) N programs
// run where that is more, and -rapid.steps says how long they are.
//
// No program waits for something that need not come, so programs cost what their calls cost:
// about 40 of them. Harness.Open is called once for each.
func RunModel(t *testing.T, h Harness, programs int) {
	t.Helper()
	h.runModel(t, t, programs)
}

// runModel tells tb what it finds. The programs run in the surroundings of the harness; their
// driver stays outside of them: it looks at the real clock to know how long it may
// shorten, and one that a harness moves would take that for hours.
func (h Harness) runModel(t *testing.T, tb testing.TB, programs int) {
	inside := stage{jobs: make(chan func(testing.TB)), closed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(inside.jobs)
		(&check{TB: tb, harness: h, stage: inside}).run(programs)
	}()
	h.within(t, inside.serve)
	<-done
}

// stage lets what it is given run inside the surroundings of a harness.
type stage struct {
	jobs   chan func(testing.TB)
	closed chan struct{} // by whoever has left the surroundings
}

func (s stage) serve(t *testing.T) {
	defer close(s.closed)
	for job := range s.jobs {
		job(t)
	}
}

// run runs a job, and gives what it has panicked with.
func (s stage) run(job func(testing.TB)) (cause any) {
	ended := make(chan any, 1)
	guarded := func(tb testing.TB) {
		defer func() { ended <- recover() }()
		job(tb)
	}
	select {
	case s.jobs <- guarded:
		return <-ended
	case <-s.closed: // the harness has ended its test
		return nil
	}
}

// check is one run of the model. It is what rapid takes for its test.
type check struct {
	testing.TB
	harness  Harness
	stage    stage
	programs int
	steps    int
	failed   bool
	report   string // of the last program that failed
}

func (c *check) run(programs int) {
	began := time.Now()
	repeats := flag.Lookup("rapid.seed").Value.String() != "0" // another round would be the same
	for more := true; more; more = c.programs < programs && !repeats {
		rapid.Check(c, c.try)
	}
	c.TB.Logf("%d programs of %d steps in all kept to the model, in %v", c.programs, c.steps, time.Since(began).Round(time.Millisecond))
}

// try runs one program on the stage. It fails and gives up here, in the goroutine of rapid, on
// two lines: by them rapid tells one from the other while it shortens.
func (c *check) try(t *rapid.T) {
	c.programs++
	var broken string
	cause := c.stage.run(func(tb testing.TB) { broken = c.play(tb, t) })
	if broken != "" {
		t.Fatalf("%s", broken)
	}
	if cause != nil {
		panic(cause) // rapid's own: there is nothing left to draw
	}
}

// play runs one program, and gives the rule that the store has broken, if it has.
func (c *check) play(tb testing.TB, t *rapid.T) (broken string) {
	g := &ground{TB: tb}
	g.ctx, g.cancel = context.WithCancel(tb.Context())
	defer g.clean()
	p := newProgram(newExam(g, c.harness), g.breach)
	defer func() {
		c.steps += len(p.history)
		cause := recover()
		switch cause := cause.(type) {
		case nil:
			return
		case breach:
			broken = string(cause)
		case error:
			broken = "no method panics"
			g.failure = fmt.Sprintf("%v\n%s", cause, debug.Stack())
		default:
			panic(cause)
		}
		c.report = p.history.String() + "      " + g.failure
	}()
	t.Repeat(p.commands())
	p.settleUp()
	return ""
}

func (c *check) Helper()             {}
func (c *check) Log(...any)          {}
func (c *check) Logf(string, ...any) {} // what rapid draws; the report tells more
func (c *check) Failed() bool        { return c.failed }

func (c *check) Errorf(format string, args ...any) {
	c.failed = true
	c.TB.Errorf(format, args...)
}

// FailNow is what rapid calls when it has shown the shortest program once more.
func (c *check) FailNow() {
	c.TB.Errorf("a short program that breaks the contract:\n%s", c.report)
	runtime.Goexit()
}

// breach is a rule that a store has broken. It ends the program as a panic.
type breach string

// ground is the testing.TB of one program. What fails it is told to rapid by its rule
// alone: the rest may differ from run to run, and rapid would take that for another failure.
type ground struct {
	testing.TB
	ctx      context.Context
	cancel   context.CancelFunc
	cleanups []func()
	failure  string
}

func (g *ground) breach(rule string, got, want any) {
	g.failure = fmt.Sprintf("%s: got %v, want %v", rule, got, want)
	panic(breach(rule))
}

func (g *ground) Fatalf(format string, args ...any) {
	g.failure = fmt.Sprintf(format, args...)
	panic(breach(format))
}

func (g *ground) Errorf(format string, args ...any) { g.Fatalf(format, args...) }
func (g *ground) Fatal(args ...any)                 { g.Fatalf("%s", fmt.Sprint(args...)) }
func (g *ground) Error(args ...any)                 { g.Fatal(args...) }
func (g *ground) FailNow()                          { g.Fatal("FailNow") }
func (g *ground) Fail()                             { g.FailNow() }
func (g *ground) Helper()                           {}
func (g *ground) Context() context.Context          { return g.ctx }
func (g *ground) Cleanup(f func())                  { g.cleanups = append(g.cleanups, f) }

func (g *ground) clean() {
	g.cancel()
	for _, f := range slices.Backward(g.cleanups) {
		f()
	}
}
