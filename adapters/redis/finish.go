package redis

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/gostem/gostem/stem"
)

// finish ends deliveries whose work is done, which is what nearly all settlements are: the script does no more for each
// than to hand it to Redis. It answers done as false, and has done nothing, where they are not all of that kind.
func (c *core) finish(ctx context.Context, h holding, ss []stem.Settlement, indices []int, save bool) (lost []int, done bool, err error) {
	if h.epoch.takeovers == "" || !areFinished(ss, indices, save) {
		return nil, false, nil
	}
	save = save && ss[indices[0]].Result != nil
	now, err := c.about(ctx)
	if err != nil {
		return nil, false, err
	}
	keys := c.keysOf(h.queue)
	order := inRuns(ss, indices, save)
	call := finishScript.start(9+4*len(indices), nil)
	// Runs of one stream are told by where they end.
	var streams []run
	for i, one := range order {
		if i == 0 || order[i-1].priority != one.priority {
			streams = append(streams, run{key: call.key(keys.boxed[one.priority])})
		}
		streams[len(streams)-1].end = i + 1
	}
	state := call.key(keys.all[keyState])
	var buckets []run
	if save {
		buckets = c.bucketRuns(&call, ss, order)
	}
	call.endKeys()
	call.add(c.offset.Load(), h.session, h.epoch.takeovers, h.epoch.era, c.channel(), state, now)
	from := 0
	for _, s := range streams {
		call.add(s.key, s.end-from)
		for ; from < s.end; from++ {
			call.add(ss[order[from].index].Delivery.Receipt.(*receipt).id)
		}
	}
	from = 0
	for _, b := range buckets {
		call.add(b.key, b.end-from, b.keep, flag(b.final))
		for ; from < b.end; from++ {
			r := ss[order[from].index].Result
			call.add(r.ID, stored(r, now))
		}
	}
	reply, err := c.run(ctx, &call)
	if err != nil {
		return nil, false, err
	}
	if reply == "EPOCH" {
		return nil, false, nil
	}
	places, err := parseIndices(reply)
	for i, place := range places {
		places[i] = order[place].place
	}
	return places, true, err
}

// run is a part of a batch that goes to one stream or one hash.
type run struct {
	key   int // its index in KEYS
	end   int // the place after its last one
	keep  int64
	final bool
}

// bucketRuns finds the hashes that the results go to, in the order of the batch.
func (c *core) bucketRuns(call *call, ss []stem.Settlement, order []spot) []run {
	var runs []run
	for i, one := range order {
		r := ss[one.index].Result
		if i == 0 || one.slot == 0 || one.slot != order[i-1].slot {
			runs = append(runs, run{key: call.key(c.bucket(r.ID))})
		}
		last := &runs[len(runs)-1]
		last.end = i + 1
		last.keep = max(last.keep, millis(r.Keep), 1)
		last.final = last.final || r.State.Terminal()
	}
	return runs
}

// areFinished reports whether finish.lua can end all of them: they are acks of entries without a life beside their
// streams, all with results or none, and no id has two.
func areFinished(ss []stem.Settlement, indices []int, save bool) bool {
	withResults := save && ss[indices[0]].Result != nil
	var seen map[string]struct{}
	if withResults && len(indices) > 1 {
		seen = make(map[string]struct{}, len(indices))
	}
	for _, i := range indices {
		s := &ss[i]
		if s.Verdict != stem.VerdictAck || keyed(s) != 0 || s.Delivery.Receipt.(*receipt).life || save && (s.Result != nil) != withResults {
			return false
		}
		if seen != nil {
			if _, twice := seen[s.Result.ID]; twice {
				return false
			}
			seen[s.Result.ID] = struct{}{}
		}
	}
	return true
}

// spot is where one of a batch is, and where it goes.
type spot struct {
	place, index int // among those of the call, and among all
	priority     int
	slot         uint64 // of the hash of its result; 0 where that is the id's own
}

// inRuns gives a batch so that what goes to one stream, and of that what goes to one hash, is together, and else in order.
func inRuns(ss []stem.Settlement, indices []int, save bool) []spot {
	order := make([]spot, len(indices))
	mixed := false
	for place, i := range indices {
		one := spot{place: place, index: i, priority: ss[i].Delivery.Receipt.(*receipt).priority}
		if save {
			if ms, ok := timeOf(ss[i].Result.ID); ok {
				one.slot = ms >> bucketBits
			}
		}
		order[place] = one
		mixed = mixed || one.priority != order[0].priority || one.slot != order[0].slot
	}
	if mixed {
		slices.SortStableFunc(order, func(a, b spot) int {
			return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.slot, b.slot))
		})
	}
	return order
}

// stored gives a record as it lies in its hash: "<kept until> <delivery number> <1 if it is final> <record>".
func stored(r *stem.Result, now int64) []byte {
	b := make([]byte, 0, 160+len(r.Payload))
	b = strconv.AppendInt(b, now+max(millis(r.Keep), 1), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.Delivery, 10)
	b = append(b, ' ')
	b = append(b, flag(r.State.Terminal())...)
	b = append(b, ' ')
	return stem.AppendResult(b, r)
}
