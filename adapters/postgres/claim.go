package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gostem/gostem/stem"
)

// Flags of a queue in the answer of claim_1.
const (
	flagPaused    = 1
	flagFromStart = 2
	flagSetAside  = 4
	flagMore      = 8
)

// claimed is the answer of claim_1.
type claimed struct {
	deliveries []stem.Delivery
	queues     []queueNote
	revoked    bool
	now        int64         // when the look began, in microseconds since 2000 by the server's clock
	next       time.Duration // until something becomes due; 0 if nothing is known to
}

// queueNote is what an answer says of one queue.
type queueNote struct {
	flags int
	back  int64
	found int
	// the last that was taken of each priority, and how many
	lasts  [stem.MaxPriority + 1]place
	counts [stem.MaxPriority + 1]int
}

// receipt is how a store finds a delivery again. It is plain data: the store of another process can settle by it as well.
type receipt struct {
	schema string
	holder int32       // the session's number
	told   atomic.Bool // the store has heard of the start
	seq    int64
	spot   pgtype.TID // where the claim has put the row
}

// row is one row of the answer.
type row struct {
	place, priority, cuts, failures, snoozes, releases int32
	seq, number, due, published                        int64 // instants in microseconds since 2000, published 0 for none
	marks, envelope, note                              []byte
	spot                                               pgtype.TID
}

func (r *receiver) claim(ctx context.Context, reaches []reach) (*claimed, error) {
	req := r.req
	n := len(req.Queues)
	numbers := make([]int64, 0, n+2*n*(stem.MaxPriority+1)) // one allocation for three lists
	backs, rest := numbers[:0:n], numbers[n:n]
	dues := rest[: 0 : n*(stem.MaxPriority+1)]
	seqs := make([]int64, 0, n*(stem.MaxPriority+1))
	for i, queue := range req.Queues {
		backs, dues, seqs = r.boundsOf(queue).append(backs, dues, seqs, reaches[i])
	}
	var mostBytes *int64
	if req.MaxBytes > 0 {
		b := int64(req.MaxBytes)
		mostBytes = &b
	}
	held, heldNumbers := r.held()
	bounded, mosts := r.bounded()
	rows, err := r.on.rows(ctx, r.sql.claim, binaryRows, r.offset.Load(), req.Session.ID, micros(req.Session.Lease), req.Session.Leaving,
		listOf(req.Queues), listOf(r.tasks.names), listOf(r.tasks.prints), int32(min(req.Max, mostAtOnce)), mostBytes, micros(req.AgeAfter),
		listOf(backs), listOf(dues), listOf(seqs), req.Recover, listOf(held), listOf(heldNumbers), listOf(bounded), listOf(mosts))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	c := &claimed{queues: make([]queueNote, n)}
	var last row
	for rows.Next() {
		one, err := readRow(rows.RawValues())
		if err != nil {
			return nil, err
		}
		if one.place < 0 {
			last = one
			last.note = bytes.Clone(one.note) // the driver reads the next answer into the same memory
			break
		}
		if int(one.place) >= n {
			return nil, errAnswer
		}
		c.queues[one.place].add(&one)
		c.deliveries = append(c.deliveries, r.delivery(&one))
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return c, c.end(&last)
}

// mostAtOnce is how many tasks a statement lends, so that none runs for long.
const mostAtOnce = 1000

// binaryRows has all columns in the binary format.
var binaryRows = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// held gives what the session holds, where the server is to look for more.
func (r *receiver) held() (seqs, numbers []int64) {
	if !r.req.Recover {
		return nil, nil
	}
	for i := range r.req.Held {
		if held, ok := r.req.Held[i].Receipt.(*receipt); ok {
			seqs, numbers = append(seqs, held.seq), append(numbers, r.req.Held[i].Number)
		}
	}
	return seqs, numbers
}

// bounded gives the tasks of which no more than so many may be lent.
func (r *receiver) bounded() (tasks []string, mosts []int32) {
	for task, most := range r.req.AtMost {
		tasks, mosts = append(tasks, task), append(mosts, int32(min(most, mostAtOnce)))
	}
	return tasks, mosts
}

func (n *queueNote) add(one *row) {
	n.found++
	if p := int(one.priority); p >= 0 && p <= stem.MaxPriority {
		n.counts[p]++
		if at := (place{one.due, one.seq}); n.lasts[p].before(at) {
			n.lasts[p] = at
		}
	}
}

// delivery makes a delivery of a row, but for what only the last row tells.
func (r *receiver) delivery(one *row) stem.Delivery {
	both := &struct {
		envelope stem.Envelope
		receipt  receipt
	}{receipt: receipt{schema: r.cfg.Schema, seq: one.seq, spot: one.spot}}
	d := stem.Delivery{
		Envelope: &both.envelope, Receipt: &both.receipt, Session: r.req.Session.ID, Number: one.number,
		Attempt: max(int(one.failures), 0) + 1, Snoozes: max(int(one.snoozes), 0), Releases: max(int(one.releases), 0), Interruptions: int(one.cuts),
	}
	queue := r.req.Queues[one.place]
	both.envelope, d.Malformed = stem.ParseEnvelope(one.envelope)
	if d.Malformed == nil && both.envelope.Queue != queue {
		d.Malformed = fmt.Errorf("postgres: an envelope of queue %s lies in queue %s", both.envelope.Queue, queue)
	}
	if len(one.marks) > 0 {
		if err := json.Unmarshal(one.marks, &d.Marks); err != nil && d.Malformed == nil {
			d.Malformed = fmt.Errorf("postgres: the marks beside the envelope: %w", err)
		}
	}
	if d.Malformed != nil {
		both.envelope = stem.Envelope{ID: fmt.Sprint("malformed-", one.seq), Queue: queue, Priority: int(one.priority)}
	}
	// The times, until the last row tells when it is.
	d.Waited, d.Age = time.Duration(one.due), time.Duration(one.due)
	if one.published != 0 {
		d.Age = time.Duration(one.published)
	}
	return d
}

// end reads the last row, and puts right what had to wait for it.
func (c *claimed) end(last *row) error {
	if last.place >= 0 || len(last.note) == 0 {
		return errAnswer
	}
	notes, ok := int64s(last.note)
	if !ok || len(notes) != 2*len(c.queues) {
		return errAnswer
	}
	for i := range c.queues {
		c.queues[i].flags, c.queues[i].back = int(notes[2*i]), notes[2*i+1]
	}
	c.revoked = last.number == 1
	now := last.due
	c.now = now
	if last.published != 0 {
		c.next = max(time.Duration(last.published-now)*time.Microsecond, time.Microsecond)
	}
	for i := range c.deliveries {
		d := &c.deliveries[i]
		d.Receipt.(*receipt).holder = int32(last.seq)
		d.Waited, d.Age = since(int64(d.Waited), now), since(int64(d.Age), now)
		if d.ExpiresIn > 0 {
			d.StartWithin = max(d.ExpiresIn-d.Age, 0)
			d.Expired = d.StartWithin == 0
		}
	}
	return nil
}

// since gives the time between two instants in microseconds, not beyond what a duration can say.
func since(from, to int64) time.Duration {
	return time.Duration(min(max(to-from, 0), int64(1<<63-1)/int64(time.Microsecond))) * time.Microsecond
}

// readRow reads the columns in their binary format.
func readRow(values [][]byte) (one row, err error) {
	if len(values) != 14 {
		return one, errAnswer
	}
	for i, to := range [...]*int32{0: &one.place, 5: &one.priority, 6: &one.cuts, 7: &one.failures, 8: &one.snoozes, 9: &one.releases} {
		if to == nil || values[i] == nil {
			continue
		}
		if len(values[i]) != 4 {
			return one, errAnswer
		}
		*to = int32(binary.BigEndian.Uint32(values[i]))
	}
	for i, to := range [...]*int64{1: &one.seq, 2: &one.number, 3: &one.due, 4: &one.published} {
		if to == nil || values[i] == nil {
			continue
		}
		if len(values[i]) != 8 {
			return one, errAnswer
		}
		*to = int64(binary.BigEndian.Uint64(values[i]))
	}
	one.marks, one.envelope, one.note = values[10], values[11], values[12]
	if spot := values[13]; len(spot) == 6 {
		one.spot = pgtype.TID{BlockNumber: binary.BigEndian.Uint32(spot), OffsetNumber: binary.BigEndian.Uint16(spot[4:]), Valid: true}
	}
	return one, nil
}

// int64s reads an array of bigint in its binary format.
func int64s(b []byte) ([]int64, bool) {
	const head = 20 // dimensions, flags, type; length and lower bound of the one dimension
	if len(b) < head || (len(b)-head)%12 != 0 {
		return nil, false
	}
	list := make([]int64, (len(b)-head)/12)
	for i := range list {
		list[i] = int64(binary.BigEndian.Uint64(b[head+12*i+4:]))
	}
	return list, true
}

// knowledge is a set of tasks as the server compares: a name and a fingerprint for each schema that is read, or none
// where all are.
type knowledge struct {
	names  []string
	prints []*int64
}

var (
	everything knowledge
	knowledges sync.Map // *knowledge by *stem.TaskSet, which never change
)

func tasksOf(set *stem.TaskSet) *knowledge {
	if set == nil {
		return &everything
	}
	if k, ok := knowledges.Load(set); ok {
		return k.(*knowledge)
	}
	k := &knowledge{names: []string{}, prints: []*int64{}}
	for name, read := range set.All() {
		if read == nil {
			k.names, k.prints = append(k.names, name), append(k.prints, nil)
			continue
		}
		for _, fingerprint := range read {
			f := int64(fingerprint)
			k.names, k.prints = append(k.names, name), append(k.prints, &f)
		}
	}
	knowledges.Store(set, k)
	return k
}
