//go:build unix

// Command chaos runs the tests in which things go wrong and tells what became of the tasks, as a table in Markdown. It is what
// make chaos starts:
//
//	go run ./internal/chaos                          # each test once, in less than three minutes
//	go run ./internal/chaos -count 10 -scale 5       # for long
//	go run ./internal/chaos -write docs/reliability.md
//
// It runs go test, reads what the sites of internal/faultsite say of their books, and asks the tests for the rest.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 1, "how often each test runs")
	scale := flag.Int("scale", 1, "how many times as much goes wrong in the tests that do a thing again and again")
	outage := flag.Duration("outage", 0, "how long servers are away; 0 is the tests' own")
	race := flag.Bool("race", false, "with the race detector")
	write := flag.String("write", "", "a page whose table is replaced, between its marks")
	flag.Parse()
	began := time.Now()
	results, err := runAll(options{*count, *scale, *outage, *race})
	if err != nil {
		log.Fatal(err)
	}
	var table bytes.Buffer
	failed := writeTable(&table, results, began, *scale)
	fmt.Print(table.String())
	if *write != "" {
		if err := replaceIn(*write, table.String()); err != nil {
			log.Fatal(err)
		}
	}
	for _, r := range results {
		if !r.passed {
			log.Printf("\n%s %s has failed:\n%s", r.pkg, r.test, r.output)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// The marks of the table in a page.
const (
	tableBegins = "<!-- make chaos writes from here -->\n"
	tableEnds   = "<!-- to here -->\n"
)

// replaceIn replaces the table of a page.
func replaceIn(path, table string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("%s has no place for the table: it is between %q and %q", path, tableBegins, tableEnds)
	}
	return os.WriteFile(path, []byte(before+tableBegins+"\n"+table+"\n"+tableEnds+after), 0o644)
}
