package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const told = `until done: whoever asks for what is under way gets that
  March   a duplicate: false
  March   a duplicate: true
  April   a duplicate: false
  → the report of April
  → the report of March
  → the report of March
until started: what changes during a run is for one more run
  while the first waits, a duplicate: true
  while the first runs, a duplicate: false
  → a-7 is in step (a new address)
  → a-7 is in step (a new name)
for a time: also when the first is done
  → wrote to Ada
  when it is done, a duplicate: true
replace: of those that wait only the last is wanted
  4 enqueued, 3 replaced
  the first was cancelled: true
  → d-1 says "Draft"
error: whoever asks is told
  the second: refused true, held by the first true
  → paid 1250 cents to a-7
`

func TestTheStories(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), "memory:", &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != told {
		t.Errorf("got\n%s\nwant\n%s", out.String(), told)
	}
}
