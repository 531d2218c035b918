package redis

import (
	"context"
	"strconv"

	"github.com/gostem/gostem/stem"
)

// Started tells that deliveries are about to run: one call of a script for each queue among them. It does not look whether the
// leases are lost: then the settlement is refused.
func (c *core) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	byQueue := make(map[string][]int)
	for i := range ds {
		if ds[i].Unique != nil {
			byQueue[ds[i].Queue] = append(byQueue[ds[i].Queue], i)
		}
	}
	var notices []stem.Notice
	for queue, indices := range byQueue {
		some, err := c.startedOn(ctx, c.keysOf(queue), ds, indices)
		if err != nil {
			return nil, c.failed("started", err)
		}
		notices = append(notices, some...)
	}
	return notices, nil
}

func (c *core) startedOn(ctx context.Context, keys *queueKeys, ds []stem.Delivery, indices []int) ([]stem.Notice, error) {
	call := startedScript.start(1+3*len(indices), keys.publish)
	texts := make([]any, 2*len(indices))
	for place, i := range indices {
		e := ds[i].Envelope
		b := strconv.AppendInt(nil, int64(call.key(keys.unique(e.Unique.Key))), 10)
		b = append(b, ' ')
		texts[2*place], texts[2*place+1] = string(appendLineage(append(b, e.ID...), e)), ""
		if e.Unique.Until != stem.UntilStarted {
			texts[2*place+1] = holdOf(&ds[i], 'r')
		}
	}
	call.endKeys()
	call.add(c.offset.Load())
	call.add(texts...)
	reply, err := c.run(ctx, &call)
	if err != nil {
		return nil, err
	}
	for _, i := range indices {
		if r, ok := ds[i].Receipt.(*receipt); ok {
			r.told.Store(true)
		}
	}
	list, _ := reply.([]any)
	var notices []stem.Notice
	for i := 0; i+1 < len(list); i += 2 {
		place, _ := list[i].(int64)
		reason, _ := list[i+1].(string)
		if int(place) < len(indices) {
			notices = append(notices, stem.Notice{Index: indices[place], Cause: stem.ErrRevoked, Reason: reason})
		}
	}
	return notices, nil
}

// aboutHold gives the id of a unique envelope and what hold.lua wants to know.
func aboutHold(e *stem.Envelope) string {
	b := make([]byte, 0, 96)
	b = append(b, e.ID...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, millis(e.Unique.For), 10)
	b = append(b, ' ')
	b = append(b, flag(e.Unique.OnConflict == stem.ConflictReplace)...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, millis(e.ExpiresIn), 10)
	return string(appendLineage(b, e))
}

// holdOf gives what the key of a task that was lent tells in a state, as unique.lua writes it.
func holdOf(d *stem.Delivery, state byte) string {
	e := d.Envelope
	var till, expires int64
	if r, ok := d.Receipt.(*receipt); ok && e.Unique.For > 0 {
		till = r.born + millis(e.Unique.For)
	}
	if r, ok := d.Receipt.(*receipt); ok && e.ExpiresIn > 0 {
		expires = r.born + millis(e.ExpiresIn)
	}
	b := make([]byte, 0, 96)
	b = strconv.AppendInt(b, till, 10)
	b = append(b, ' ', state, ' ')
	b = append(b, flag(e.Unique.OnConflict == stem.ConflictReplace)...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, expires, 10)
	b = append(b, " 0 - "...)
	b = append(b, e.ID...)
	return string(appendLineage(b, e))
}

// appendLineage appends the ids above an envelope's own.
func appendLineage(b []byte, e *stem.Envelope) []byte {
	for id := range e.Lineage {
		if id != e.ID {
			b = append(b, ' ')
			b = append(b, id...)
		}
	}
	return b
}

// keyed gives the letter of what a settlement means for the unique key of its task (see settle.lua), 0 where nothing.
func keyed(s *stem.Settlement) byte {
	e := s.Delivery.Envelope
	switch {
	case e.Unique == nil:
		return 0
	case s.Verdict == stem.VerdictAck && !s.Cancelled && e.Unique.Until == stem.UntilTime:
		return 'f'
	case s.Verdict == stem.VerdictAck && !s.Cancelled && e.Unique.Until == stem.UntilStarted:
		if r, ok := s.Delivery.Receipt.(*receipt); ok && r.told.Load() {
			return 0 // it has started, and let the key go then
		}
		return 'g'
	case s.Verdict == stem.VerdictAck && s.Cancelled && e.Unique.OnConflict == stem.ConflictReplace:
		return 'c'
	case s.Verdict == stem.VerdictAck, s.Verdict == stem.VerdictDeadLetter:
		return 'g'
	case e.TellsStart() && e.Unique.Until != stem.UntilStarted:
		return 'q'
	default:
		return 0
	}
}
