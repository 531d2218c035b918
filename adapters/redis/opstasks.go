package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// ListTasks answers a page, by one call of a script that looks at 1,000 entries or 1 MiB of envelopes.
func (c *core) ListTasks(ctx context.Context, q ops.TaskQuery) (ops.TaskPage, error) {
	if err := c.begin(); err != nil {
		return ops.TaskPage{}, err
	}
	defer c.calls.Done()
	if !slices.Contains(ops.States, q.State) {
		return ops.TaskPage{}, &stem.OptionError{Option: "state", Value: fmt.Sprintf("%.40q", q.State), Want: "one of ops.States"}
	}
	if err := validLimit(q.Limit); err != nil {
		return ops.TaskPage{}, err
	}
	list := cursorOf("tasks", q.Queue, string(q.State), q.Task, q.ID)
	after, err := list.read(q.After)
	if err != nil {
		return ops.TaskPage{}, err
	}
	call := listScript.start(6, c.keysOf(q.Queue).all)
	call.endKeys()
	call.add(c.offset.Load(), string(q.State), q.Limit, q.Task, q.ID, after)
	reply, err := c.run(ctx, &call)
	if err != nil {
		return ops.TaskPage{}, c.failed("list tasks", err)
	}
	texts, ok := reply.([]any)
	if !ok || len(texts) < 3 || (len(texts)-3)%5 != 0 {
		return ops.TaskPage{}, c.failed("list tasks", errReply)
	}
	now, _ := texts[0].(string)
	next, _ := texts[1].(string)
	looked, _ := texts[2].(int64)
	page := ops.TaskPage{Next: list.write(next), Looked: int(looked)}
	for texts = texts[3:]; len(texts) > 0; texts = texts[5:] {
		t := parseTask(&q, timeOfScript(now), texts[:5])
		if (q.ID == "" || t.ID == q.ID) && (q.Task == "" || t.Task == q.Task) {
			page.Tasks = append(page.Tasks, t)
		}
	}
	return page, nil
}

func validLimit(limit int) error {
	if limit < 1 || limit > ops.MaxPage {
		return &stem.OptionError{Option: "limit", Value: strconv.Itoa(limit), Want: fmt.Sprintf("1 to %d", ops.MaxPage)}
	}
	return nil
}

// parseTask reads the five texts that list.lua answers for a task.
func parseTask(q *ops.TaskQuery, now time.Time, texts []any) ops.Task {
	where, _ := texts[0].(string)
	lent, _ := texts[1].(string)
	o := parseLoan(texts[2:])
	born := o.born
	if o.id == "-" { // it is in no stream
		sum := sha1.Sum([]byte(o.envelope))
		o.id = hex.EncodeToString(sum[:8])
	} else if born == "" {
		born, _, _ = strings.Cut(o.id, "-")
	}
	var d stem.Delivery
	o.open(q.Queue, new(stem.Envelope), &d)
	number, lent, _ := strings.Cut(lent, " ")
	lapses, session, _ := strings.Cut(lent, " ")
	t := ops.Task{
		Envelope: d.Envelope, State: q.State, Place: hex.EncodeToString([]byte(where)),
		Attempt: d.Attempt, Interruptions: d.Interruptions, Snoozes: d.Snoozes, Releases: d.Releases,
		Session: session, Published: timeOfScript(born), Due: timeOfScript(o.due),
		Now: now, Marks: d.Marks, Malformed: d.Malformed,
	}
	if t.Due.IsZero() {
		t.Due = t.Published
	}
	if lapses != "0" {
		t.Lapses = timeOfScript(lapses)
	}
	t.Delivery, _ = strconv.ParseInt(number, 10, 64) // 0 where somebody has written what is no number
	return t
}

// timeOfScript gives a time that is told in ms; zero where it is none.
func timeOfScript(text string) time.Time {
	if ms := timeIn(text, -1); ms >= 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// cursor makes texts of the places behind which a list goes on, and knows those that are another list's.
type cursor string

func cursorOf(list ...string) cursor { return cursor(strings.Join(list, "\x00")) }

func (l cursor) check(place string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(string(l) + "\x00" + place))
	return hex.EncodeToString(h.Sum(nil))
}

// write gives a place of at most 90 bytes as printable text.
func (l cursor) write(place string) string {
	if place == "" {
		return ""
	}
	return l.check(place) + hex.EncodeToString([]byte(place))
}

func (l cursor) read(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if len(text) > 8 && len(text) <= ops.MaxCursor {
		if place, err := hex.DecodeString(text[8:]); err == nil && text[:8] == l.check(string(place)) {
			return string(place), nil
		}
	}
	return "", &stem.OptionError{Option: "cursor", Value: fmt.Sprintf("%.40q", text), Want: "the Next of a page of the same list"}
}
