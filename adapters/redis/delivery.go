package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

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
	// told tells that the store has heard of the start.
	told atomic.Bool
	// takeovers and era are the epoch of the delivery: as long as the store says the same, nobody has taken
	// anything from the session.
	takeovers, era string
	born           int64 // when the envelope was published, in ms by the store's clock
}

func (r *receipt) epoch() epoch { return epoch{r.takeovers, r.era} }

type epoch struct{ takeovers, era string }

// deliveries makes deliveries of loans.
func (l *lent) deliveries(session, queue string, loans []loan) []stem.Delivery {
	ds := make([]stem.Delivery, len(loans))
	receipts := make([]receipt, len(loans))
	envelopes := make([]stem.Envelope, len(loans))
	for i := range ds {
		o, r, d, e := &loans[i], &receipts[i], &ds[i], &envelopes[i]
		r.priority, r.id, r.life, r.takeovers, r.era = o.priority, o.id, o.life, l.epoch.takeovers, l.epoch.era
		due := r.times(o, l.now)
		o.open(queue, e, d)
		d.Session, d.Number, d.Receipt = session, l.number, r
		d.Age = since(r.born, l.now)
		d.Waited = since(due, l.now)
		if e.ExpiresIn > 0 {
			d.StartWithin = max(e.ExpiresIn-d.Age, 0)
			d.Expired = d.StartWithin == 0
		}
	}
	return ds
}

// open reads what lies in a queue into an envelope and what is known beside it.
func (o *loan) open(queue string, e *stem.Envelope, d *stem.Delivery) {
	*e, d.Malformed = stem.ParseEnvelope(bytesOf(o.envelope))
	if d.Malformed == nil && e.Queue != queue {
		d.Malformed = fmt.Errorf("redis: an envelope of queue %s lies in queue %s", e.Queue, queue)
	}
	if err := parseState(o.state, d); err != nil && d.Malformed == nil {
		d.Malformed = err
	}
	if d.Malformed != nil {
		*e = stem.Envelope{ID: "malformed-" + o.id, Queue: queue, Priority: o.priority}
	}
	d.Envelope, d.Interruptions = e, o.interruptions
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
	if text == "" { // an error of strconv would be an allocation for each task
		return otherwise
	}
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
