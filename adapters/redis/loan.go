package redis

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// lent is what receive.lua answers for one queue.
type lent struct {
	now     int64 // ms
	number  int64
	epoch   epoch
	wait    time.Duration
	next    int64 // when something is next due, in ms
	paused  bool
	revoked bool // something is revoked on the queue
	mixed   bool // not all that is ready is of priority 0 and fresh
	full    bool // there is more, which did not fit
	opened  bool // the session was not open on the queue
	watches bool // the session watches the time for all that wait at the queue
	gone    int  // entries that were on loan, or in line, and not in their streams any more
	entries []any
}

var errReply = errors.New("a script gave an answer that is not understood: is another version at work in the same namespace?")

func parseLent(reply any) (lent, error) {
	list, ok := reply.([]any)
	if !ok || len(list) < 8 || (len(list)-8)%3 != 0 {
		return lent{}, errReply
	}
	var l lent
	now, _ := list[0].(string)
	number, _ := list[1].(string)
	next, _ := list[7].(string)
	var errs [3]error
	l.now, errs[0] = strconv.ParseInt(now, 10, 64)
	l.number, errs[1] = strconv.ParseInt(number, 10, 64)
	l.next, errs[2] = strconv.ParseInt(next, 10, 64)
	l.epoch.takeovers, _ = list[2].(string)
	l.epoch.era, _ = list[3].(string)
	wait, _ := list[4].(int64)
	flags, _ := list[5].(int64)
	gone, _ := list[6].(int64)
	l.wait, l.gone = time.Duration(wait)*time.Millisecond, int(gone)
	l.paused, l.revoked, l.mixed, l.full, l.opened = flags&1 > 0, flags&2 > 0, flags&4 > 0, flags&8 > 0, flags&16 > 0
	l.watches = flags&32 > 0
	l.entries = list[8:]
	return l, errors.Join(errs[:]...)
}

// loan is an entry that is lent.
type loan struct {
	priority int
	id       string
	envelope string
	state    string // what settlements have left
	schema   string // of its args, with the task
	born     string // when it was published and when it became due, in ms; '' for the time in the id, and for when it was born
	due      string
	// life tells that something is known of it beside its stream, and interruptions is part of that.
	life          bool
	interruptions int
}

// loans gives what the script has lent: for each entry "<priority> <id> <born or -> <due or -> [<interruptions>]", its
// envelope, its state.
func (l *lent) loans() []loan {
	loans := make([]loan, len(l.entries)/3)
	for i := range loans {
		loans[i] = parseLoan(l.entries[3*i:])
	}
	return loans
}

func parseLoan(texts []any) (o loan) {
	head, _ := texts[0].(string)
	published, _ := texts[1].(string)
	o.schema, o.envelope = cutSchema(published)
	o.state, _ = texts[2].(string)
	priority, rest, _ := strings.Cut(head, " ")
	var interruptions string
	o.id, rest, _ = strings.Cut(rest, " ")
	o.born, rest, _ = strings.Cut(rest, " ")
	o.due, interruptions, o.life = strings.Cut(rest, " ")
	o.priority, _ = strconv.Atoi(priority)
	o.interruptions, _ = strconv.Atoi(interruptions)
	if o.born == "-" {
		o.born = ""
	}
	if o.due == "-" {
		o.due = ""
	}
	return o
}

// cutSchema parts what was published: a line that tells task and schema, and the envelope. What has no such line is
// left whole, for the dead letter that it becomes.
func cutSchema(published string) (schema, envelope string) {
	schema, envelope, _ = strings.Cut(published, "\n")
	if _, fingerprint, ok := strings.Cut(schema, " "); ok && (fingerprint == "-" || len(fingerprint) == 16) {
		return schema, envelope
	}
	return "", published
}

// parseRead reads the answer of a plain read from the stream of priority 0.
func parseRead(cmd *redis.Cmd) ([]loan, error) {
	reply, err := cmd.Result()
	if err != nil {
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		return nil, err
	}
	var entries []any
	switch streams := reply.(type) {
	case []any: // RESP 2: [[stream, entries]]
		if len(streams) == 1 {
			if stream, ok := streams[0].([]any); ok && len(stream) == 2 {
				entries, _ = stream[1].([]any)
			}
		}
	case map[any]any: // RESP 3: {stream: entries}
		for _, of := range streams {
			entries, _ = of.([]any)
		}
	}
	loans := make([]loan, len(entries))
	for i, e := range entries {
		entry, _ := e.([]any)
		if len(entry) != 2 {
			return nil, errReply
		}
		o := &loans[i]
		o.id, _ = entry[0].(string)
		fields, _ := entry[1].([]any)
		for j := 0; j+1 < len(fields); j += 2 {
			name, _ := fields[j].(string)
			o.set(name, fields[j+1])
		}
	}
	return loans, nil
}

// set notes a field of an entry.
func (o *loan) set(name string, value any) {
	text, _ := value.(string)
	switch name {
	case "e":
		o.schema, o.envelope = cutSchema(text)
	case "s":
		o.state = text
	case "b":
		o.born = text
	case "d":
		o.due = text
	}
}
