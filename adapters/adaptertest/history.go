package adaptertest

import (
	"fmt"
	"maps"
	"strings"

	"github.com/gostem/gostem/stem"
)

// history is what a program has done, to be told if it fails. Texts are made only then.
type history []line

type line struct {
	format string
	args   []any
	answer any
}

func (h *history) add(format string, args ...any) { *h = append(*h, line{format: format, args: args}) }

// answer adds the answer to what was done last: it stands there also if none comes.
func (h history) answer(a any) { h[len(h)-1].answer = a }

func (h history) String() string {
	var b strings.Builder
	for i, l := range h {
		fmt.Fprintf(&b, "%4d. %s", i+1, fmt.Sprintf(l.format, l.args...))
		if l.answer != nil {
			fmt.Fprintf(&b, ": %v", l.answer)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shown is an envelope as a reader of a history wants to see it.
type shown stem.Envelope

func (e shown) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s to %s", e.ID, stem.TaskSchema{Task: e.Task, Fingerprint: e.Fingerprint}, e.Queue)
	add := func(there bool, format string, value any) {
		if there {
			fmt.Fprintf(&b, format, value)
		}
	}
	add(e.Priority > 0, ", priority %d", e.Priority)
	add(e.Delay > 0, ", delay %v", e.Delay)
	add(e.ExpiresIn > 0, ", expires in %v", e.ExpiresIn)
	add(e.Visibility > 0, ", visibility %v", e.Visibility)
	add(e.DedupeKey != "", ", deduped for %v", e.DedupeWindow)
	add(e.Unique != nil, ", unique %+v", e.Unique)
	add(e.Parent != "", ", child of %s", e.Parent)
	add(len(e.Ancestors) > 0, ", below %s", e.Ancestors)
	return b.String()
}

// request is a request as a reader of a history wants to see it.
type request stem.ReceiveRequest

func (r request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s receives from %s, %d at most", r.Session.ID, r.Queues, r.Max)
	if r.Tasks != nil {
		fmt.Fprintf(&b, ", of %v", maps.Collect(r.Tasks.All()))
	}
	if r.MaxBytes > 0 {
		fmt.Fprintf(&b, ", %d bytes", r.MaxBytes)
	}
	if r.AgeAfter > 0 {
		fmt.Fprintf(&b, ", ageing by %v", r.AgeAfter)
	}
	if r.AtMost != nil {
		fmt.Fprintf(&b, ", at most %v", r.AtMost)
	}
	if r.Recover {
		fmt.Fprintf(&b, ", recovering all but %s", ids(r.Held))
	}
	return b.String()
}
