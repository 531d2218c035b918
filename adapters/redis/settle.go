package redis

import (
	"context"
	"strconv"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// Settle ends deliveries: one call of a script for each queue, session and epoch among them, which is one as a rule.
func (c *core) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return c.settleAll(ctx, ss, false)
}

// SaveAndSettle saves results and settles deliveries in one script.
func (s *Store) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settleAll(ctx, ss, true)
}

// holding is what the deliveries of one call have in common.
type holding struct {
	queue, session string
	epoch          epoch
}

func (c *core) settleAll(ctx context.Context, ss []stem.Settlement, save bool) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	var failed []stem.ItemError
	var order []holding
	calls := make(map[holding][]int)
	for i := range ss {
		d := &ss[i].Delivery
		r, ok := d.Receipt.(*receipt)
		if err := ss[i].Validate(); err != nil {
			failed = append(failed, stem.ItemError{Index: i, Err: err})
			continue
		}
		if !ok || d.Envelope == nil {
			failed = append(failed, stem.ItemError{Index: i, Err: stem.ErrLeaseLost})
			continue
		}
		h := holding{d.Queue, d.Session, r.epoch()}
		if calls[h] == nil {
			order = append(order, h)
		}
		calls[h] = append(calls[h], i)
	}
	for _, h := range order {
		lost, err := c.settle(ctx, h, ss, calls[h], save)
		if err != nil {
			err = c.failed("settle", err)
			if len(order) == 1 && len(failed) == 0 {
				return err
			}
			failed = unknown(failed, calls[h], err)
		}
		for _, i := range lost {
			failed = append(failed, stem.ItemError{Index: calls[h][i], Err: stem.ErrLeaseLost})
		}
	}
	return partial(failed)
}

// settle settles those that the indices name, and answers the places of those that were refused among them.
func (c *core) settle(ctx context.Context, h holding, ss []stem.Settlement, indices []int, save bool) (lost []int, err error) {
	for at := 0; at < len(indices); at += mostAtOnce {
		some := indices[at:min(at+mostAtOnce, len(indices))]
		places, done, err := c.finish(ctx, h, ss, some, save)
		if err == nil && !done {
			places, err = c.settleWithCare(ctx, h, ss, some, save)
		}
		if err != nil {
			return nil, err
		}
		for _, place := range places {
			lost = append(lost, at+place)
		}
	}
	return lost, nil
}

// mostAtOnce is how many deliveries a script lends or settles at once: others wait for it meanwhile.
const mostAtOnce = 1000

// settleWithCare has the script look at each delivery by itself.
func (c *core) settleWithCare(ctx context.Context, h holding, ss []stem.Settlement, indices []int, save bool) ([]int, error) {
	keys := c.keysOf(h.queue)
	call := settleScript.start(7+4*len(indices), keys.all)
	buckets := make(map[string]int)
	if save {
		for _, i := range indices {
			if ss[i].Result != nil {
				if bucket := c.bucket(ss[i].Result.ID); buckets[bucket] == 0 {
					buckets[bucket] = call.key(bucket)
				}
			}
		}
	}
	hashes := len(keys.all) + len(buckets)
	heads := make([]any, len(indices))
	for place, i := range indices {
		heads[place] = headOfSettlement(&ss[i], &call, keys)
	}
	call.endKeys()
	call.add(c.offset.Load(), h.session, h.epoch.takeovers, h.epoch.era, c.cfg.MaxDeadLetters, c.channel(), hashes)
	for place, i := range indices {
		s := &ss[i]
		first, second := texts(s)
		call.add(heads[place], first, second)
		if !save || s.Result == nil {
			call.add("0")
			continue
		}
		call.add("1")
		call.add(recordArgs(buckets[c.bucket(s.Result.ID)], s.Result)...)
	}
	reply, err := c.run(ctx, &call)
	if err != nil {
		return nil, err
	}
	return parseIndices(reply)
}

var verdictLetters = [...]byte{stem.VerdictAck: 'a', stem.VerdictRetry: 'r', stem.VerdictSnooze: 'z', stem.VerdictDeadLetter: 'd', stem.VerdictRelease: 'g'}

// headOfSettlement gives the head, and adds the unique key to those of the call where something becomes of it.
func headOfSettlement(s *stem.Settlement, call *call, keys *queueKeys) string {
	r := s.Delivery.Receipt.(*receipt)
	b := make([]byte, 0, 64)
	b = append(b, verdictLetters[s.Verdict], ' ')
	b = strconv.AppendInt(b, int64(r.priority), 10)
	b = append(b, ' ')
	b = append(b, r.id...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.Delivery.Number, 10)
	b = append(b, ' ')
	b = append(b, flag(r.life)...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, millis(s.Delay), 10)
	if what := keyed(s); what != 0 {
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(call.key(keys.unique(s.Delivery.Unique.Key))), 10)
		b = append(b, ' ', what, ' ')
		b = append(b, s.Delivery.ID...)
		if what == 'f' {
			b = append(b, ' ')
			b = append(b, holdOf(&s.Delivery, 'f')...)
		}
	}
	return string(b)
}

// texts gives the two texts of a settlement: what stays beside the envelope.
func texts(s *stem.Settlement) (first, second any) {
	d := &s.Delivery
	failures, snoozes, releases, marks := d.Attempt-1, d.Snoozes, d.Releases, s.Marks
	switch s.Verdict {
	case stem.VerdictRetry:
		failures++
	case stem.VerdictSnooze:
		snoozes++
	case stem.VerdictRelease:
		releases++
		if len(marks) == 0 {
			marks = d.Marks
		}
	case stem.VerdictDeadLetter:
		return appendBurial(nil, s), ""
	default:
		return "", ""
	}
	return appendState(nil, failures, snoozes, releases, marks), d.Receipt.(*receipt).born
}

// appendBurial appends what is known about a dead letter, the array [id, task, reason, attempt, delivery number, marks].
func appendBurial(b []byte, s *stem.Settlement) []byte {
	d := &s.Delivery
	b = codec.AppendArrayLen(b, 6)
	b = codec.AppendString(b, d.ID)
	b = codec.AppendString(b, d.Task)
	b = codec.AppendString(b, s.Reason)
	b = codec.AppendInt(b, int64(d.Attempt))
	b = codec.AppendInt(b, d.Number)
	return appendMarks(b, s.Marks)
}
