//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
)

// options say how much goes wrong.
type options struct {
	count, scale int
	outage       time.Duration
	race         bool
}

// result is what became of one run of a test.
type result struct {
	pkg, test string
	passed    bool
	rows      []faultsite.Row
	output    string
}

// runAll runs the tests of all parts, two packages at a time: those of one wait for leases and servers more often than not.
func runAll(o options) ([]result, error) {
	var packages []string
	for _, p := range parts {
		if !slices.Contains(packages, p.pkg) {
			packages = append(packages, p.pkg)
		}
	}
	slices.SortStableFunc(packages, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) }) // faults take longest
	results, errs := make([][]result, len(packages)), make([]error, len(packages))
	var all sync.WaitGroup
	turns := make(chan struct{}, 2)
	for i, pkg := range packages {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			fmt.Fprintln(os.Stderr, "go test", pkg)
			var err error
			if results[i], err = runPackage(pkg, o); err != nil {
				errs[i] = fmt.Errorf("%s: %w", pkg, err)
			}
		})
	}
	all.Wait()
	return slices.Concat(results...), errors.Join(errs...)
}

// runPackage runs those tests of a package that parts name.
func runPackage(pkg string, o options) ([]result, error) {
	args := []string{"test", "-json", "-timeout", "3h", "-count", strconv.Itoa(o.count), "-run", patternOf(pkg)}
	if o.race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "STEM_TEST_FAULT_SCALE="+strconv.Itoa(o.scale))
	if o.outage > 0 {
		cmd.Env = append(cmd.Env, "STEM_TEST_OUTAGE="+o.outage.String())
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	results, err := parse(pkg, &stdout)
	if err == nil && failed != nil && !slices.ContainsFunc(results, func(r result) bool { return !r.passed }) {
		err = fmt.Errorf("%w: no test of ours has failed, but: %s", failed, stderr.String())
	}
	return results, err
}

// patternOf gives what -run takes: the names of tests, with all their subtests.
func patternOf(pkg string) string {
	var tops []string
	for _, p := range parts {
		if p.pkg != pkg {
			continue
		}
		text := strings.TrimSuffix(strings.TrimPrefix(p.tests.String(), "^("), ")$")
		top, _, _ := strings.Cut(text, "/")
		tops = append(tops, top)
	}
	return "^(" + strings.Join(tops, "|") + ")$"
}

// event is a line of go test -json.
type event struct {
	Action, Test, Output string
}

// parse reads what go test has printed: a result for each run of a test that parts name.
func parse(pkg string, out io.Reader) (results []result, err error) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	said := make(map[string]*strings.Builder)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("go test -json printed %q: %w", lines.Text(), err)
		}
		if e.Test == "" {
			continue
		}
		if said[e.Test] == nil {
			said[e.Test] = new(strings.Builder)
		}
		switch e.Action {
		case "output":
			said[e.Test].WriteString(e.Output)
		case "pass", "fail":
			if partOf(pkg, e.Test) != nil {
				text := said[e.Test].String()
				results = append(results, result{pkg, e.Test, e.Action == "pass", rowsIn(text), text})
			}
			delete(said, e.Test)
		}
	}
	return results, lines.Err()
}

// rowsIn finds what sites say in the output of a test.
func rowsIn(text string) (rows []faultsite.Row) {
	for line := range strings.Lines(text) {
		if _, after, ok := strings.Cut(line, faultsite.ReportPrefix); ok {
			var r faultsite.Row
			if json.Unmarshal([]byte(after), &r) == nil {
				rows = append(rows, r)
			}
		}
	}
	return rows
}
