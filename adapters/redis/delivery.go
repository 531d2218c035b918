package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// receipt is how a store finds a delivery again. It is plain data: the store of another
// process can settle by it as well.
type receipt struct {
	priority int
	id       string // of the entry in its stream
	// life tells that something is known about the entry beside its stream.
	life bool
	// takeovers and era are the epoch of the delivery: as long as the store says the same, nobody has taken
	// anything from the session.
	takeovers, era string
	born           int64 // when the envelope was published, in ms by the store's clock
}

func (r *receipt) epoch() epoch { return epoch{r.takeovers, r.era} }

type epoch struct{ takeovers, era string }

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
		head, _ := l.entries[3*i].(string)
		o := &loans[i]
		published, _ := l.entries[3*i+1].(string)
		o.schema, o.envelope = cutSchema(published)
		o.state, _ = l.entries[3*i+2].(string)
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
	}
	return loans
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

// deliveries makes deliveries of loans.
func (l *lent) deliveries(session, queue string, loans []loan) []stem.Delivery {
	ds := make([]stem.Delivery, len(loans))
	receipts := make([]receipt, len(loans))
	envelopes := make([]stem.Envelope, len(loans))
	for i := range ds {
		o, r, d, e := &loans[i], &receipts[i], &ds[i], &envelopes[i]
		r.priority, r.id, r.life, r.takeovers, r.era = o.priority, o.id, o.life, l.epoch.takeovers, l.epoch.era
		due := r.times(o, l.now)
		*e, d.Malformed = stem.ParseEnvelope(bytesOf(o.envelope))
		if d.Malformed == nil && e.Queue != queue {
			d.Malformed = fmt.Errorf("redis: an envelope of queue %s lies in queue %s", e.Queue, queue)
		}
		if err := parseState(o.state, d); err != nil && d.Malformed == nil {
			d.Malformed = err
		}
		if d.Malformed != nil {
			*e = stem.Envelope{ID: "malformed-" + r.id, Queue: queue, Priority: r.priority}
		}
		d.Envelope, d.Session, d.Number, d.Receipt, d.Interruptions = e, session, l.number, r, o.interruptions
		d.Age = since(r.born, l.now)
		d.Waited = since(due, l.now)
		if e.ExpiresIn > 0 {
			d.StartWithin = max(e.ExpiresIn-d.Age, 0)
			d.Expired = d.StartWithin == 0
		}
	}
	return ds
}

// bytesOf gives the bytes of a text that nobody changes, without a copy.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// times notes when an entry was published, and gives when it became due, both in ms. Somebody may have written what is
// no time.
func (r *receipt) times(o *loan, now int64) (due int64) {
	born := o.born
	if born == "" {
		born, _, _ = strings.Cut(o.id, "-")
	}
	r.born = timeIn(born, now)
	return timeIn(o.due, r.born)
}

// timeIn reads a time in ms that lies where scripts reckon with it.
func timeIn(text string, otherwise int64) int64 {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || ms >= 1e15 {
		return otherwise
	}
	return ms
}

// since gives the time between two instants in ms, not beyond what a duration can say.
func since(from, to int64) time.Duration {
	return time.Duration(min(max(to-from, 0), int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
}

// What settlements leave behind lies beside an envelope as the MessagePack array
// [failures, snoozes, releases, marks]. It is ” before the first one.
func appendState(b []byte, failures, snoozes, releases int, marks map[string]string) []byte {
	b = codec.AppendArrayLen(b, 4)
	b = codec.AppendInt(b, int64(failures))
	b = codec.AppendInt(b, int64(snoozes))
	b = codec.AppendInt(b, int64(releases))
	return appendMarks(b, marks)
}

func appendMarks(b []byte, marks map[string]string) []byte {
	b = codec.AppendMapLen(b, len(marks))
	for key, value := range marks {
		b = codec.AppendString(b, key)
		b = codec.AppendString(b, value)
	}
	return b
}

func parseState(state string, d *stem.Delivery) error {
	d.Attempt = 1
	if state == "" {
		return nil
	}
	r := codec.NewReader(bytesOf(state))
	if n := r.EnterArray(); !r.Failed() && n != 4 {
		r.Fail(errors.New("want four fields"))
	}
	failures, snoozes, releases := r.Int(), r.Int(), r.Int()
	marks := readMarks(&r)
	r.Leave()
	if err := r.Finish(); err != nil {
		return fmt.Errorf("redis: what is known beside the envelope: %w", err)
	}
	d.Attempt, d.Snoozes, d.Releases, d.Marks = min(max(failures, 0), math.MaxInt32)+1, max(snoozes, 0), max(releases, 0), marks
	return nil
}

func readMarks(r *codec.Reader) map[string]string {
	n := r.EnterMap()
	var marks map[string]string
	if n > 0 {
		marks = make(map[string]string, codec.MapCap[string, string](n))
	}
	for ; n > 0 && !r.Failed(); n-- {
		key := r.Str()
		marks[key] = r.Str()
	}
	r.Leave()
	return marks
}
