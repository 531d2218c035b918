package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	paused  bool
	revoked bool // something is revoked on the queue
	gone    int  // entries that were on loan, or in line, and not in their streams any more
	entries []any
}

var errReply = errors.New("a script gave an answer that is not understood: is another version at work in the same namespace?")

func parseLent(reply any) (lent, error) {
	list, ok := reply.([]any)
	if !ok || len(list) < 7 || (len(list)-7)%3 != 0 {
		return lent{}, errReply
	}
	var l lent
	now, _ := list[0].(string)
	number, _ := list[1].(string)
	var errs [2]error
	l.now, errs[0] = strconv.ParseInt(now, 10, 64)
	l.number, errs[1] = strconv.ParseInt(number, 10, 64)
	l.epoch.takeovers, _ = list[2].(string)
	l.epoch.era, _ = list[3].(string)
	wait, _ := list[4].(int64)
	flags, _ := list[5].(int64)
	gone, _ := list[6].(int64)
	l.wait, l.paused, l.revoked, l.gone = time.Duration(wait)*time.Millisecond, flags&1 > 0, flags&2 > 0, int(gone)
	l.entries = list[7:]
	return l, errors.Join(errs[:]...)
}

// deliveries makes deliveries of what was lent.
func (l *lent) deliveries(session, queue string) ([]stem.Delivery, error) {
	n := len(l.entries) / 3
	ds := make([]stem.Delivery, n)
	receipts := make([]receipt, n)
	envelopes := make([]stem.Envelope, n)
	for i := range ds {
		head, _ := l.entries[3*i].(string)
		data, _ := l.entries[3*i+1].(string)
		state, _ := l.entries[3*i+2].(string)
		r, d := &receipts[i], &ds[i]
		r.takeovers, r.era = l.epoch.takeovers, l.epoch.era
		due, err := r.parse(head, d)
		if err != nil {
			return nil, err
		}
		e := &envelopes[i]
		*e, d.Malformed = stem.ParseEnvelope([]byte(data))
		if d.Malformed == nil && e.Queue != queue {
			d.Malformed = fmt.Errorf("redis: an envelope of queue %s lies in queue %s", e.Queue, queue)
		}
		if d.Malformed != nil {
			*e = stem.Envelope{ID: "malformed-" + r.id, Queue: queue, Priority: r.priority}
		}
		if err := parseState(state, d); err != nil && d.Malformed == nil {
			d.Malformed = err
		}
		d.Envelope, d.Session, d.Number, d.Receipt = e, session, l.number, r
		d.Age = since(r.born, l.now)
		d.Waited = since(due, l.now)
		if e.ExpiresIn > 0 {
			d.StartWithin = max(e.ExpiresIn-d.Age, 0)
			d.Expired = d.StartWithin == 0
		}
	}
	return ds, nil
}

// since gives the time between two instants in ms, not beyond what a duration can say.
func since(from, to int64) time.Duration {
	return time.Duration(min(max(to-from, 0), int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
}

// parse reads where an entry is and what has become of it, "<priority> <id> <born or -> <due or -> [<interruptions>]",
// and gives when it became due.
func (r *receipt) parse(head string, d *stem.Delivery) (due int64, err error) {
	priority, rest, _ := strings.Cut(head, " ")
	id, rest, _ := strings.Cut(rest, " ")
	born, rest, _ := strings.Cut(rest, " ")
	dueText, interruptions, life := strings.Cut(rest, " ")
	ms, _, ok := strings.Cut(id, "-")
	if len(priority) != 1 || !ok {
		return 0, errReply
	}
	r.priority, r.id, r.life = int(priority[0]-'0'), strings.Clone(id), life
	if born == "-" {
		born = ms
	}
	if dueText == "-" {
		dueText = born
	}
	if r.born, err = strconv.ParseInt(born, 10, 64); err != nil {
		return 0, errReply
	}
	if due, err = strconv.ParseInt(dueText, 10, 64); err != nil {
		return 0, errReply
	}
	if life {
		if d.Interruptions, err = strconv.Atoi(interruptions); err != nil {
			return 0, errReply
		}
	}
	return due, nil
}

// What settlements leave behind lies beside an envelope as the MessagePack array
// [failures, snoozes, releases, marks]. It is '' before the first one.
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
	r := codec.NewReader([]byte(state))
	if n := r.EnterArray(); !r.Failed() && n != 4 {
		r.Fail(errors.New("want four fields"))
	}
	failures, snoozes, releases := r.Int(), r.Int(), r.Int()
	marks := readMarks(&r)
	r.Leave()
	if err := r.Finish(); err != nil {
		return fmt.Errorf("redis: what is known beside the envelope: %w", err)
	}
	d.Attempt, d.Snoozes, d.Releases, d.Marks = max(failures, 0)+1, max(snoozes, 0), max(releases, 0), marks
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
