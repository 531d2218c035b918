package redis

import (
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
	order := byStream(ss, indices)
	call := finishScript.start(9+4*len(indices), nil)
	// Runs of one stream are told by where they end.
	var streams []run
	for i, place := range order {
		p := ss[indices[place]].Delivery.Receipt.(*receipt).priority
		if i == 0 || streams[len(streams)-1].priority != p {
			streams = append(streams, run{priority: p, key: call.key(keys.boxed[p])})
		}
		streams[len(streams)-1].end = i + 1
	}
	state := call.key(keys.all[keyState])
	var buckets []run
	if save {
		buckets = c.bucketRuns(&call, ss, indices, order)
	}
	call.endKeys()
	call.add(c.offset.Load(), h.session, h.epoch.takeovers, h.epoch.era, c.channel(), state, now)
	from := 0
	for _, s := range streams {
		call.add(s.key, s.end-from)
		for ; from < s.end; from++ {
			call.add(ss[indices[order[from]]].Delivery.Receipt.(*receipt).id)
		}
	}
	from = 0
	for _, b := range buckets {
		call.add(b.key, b.end-from, b.keep, flag(b.final))
		for ; from < b.end; from++ {
			r := ss[indices[order[from]]].Result
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
		places[i] = order[place]
	}
	return places, true, err
}

// run is a part of a batch that goes to one stream or one hash.
type run struct {
	priority int
	key      int // its index in KEYS
	end      int // the place after its last one
	keep     int64
	final    bool
}

// bucketRuns finds the hashes that the results go to, in the order of the batch.
func (c *core) bucketRuns(call *call, ss []stem.Settlement, indices, order []int) []run {
	var runs []run
	var slot uint64
	var timed bool // the id before had a time, in this slot
	for i, place := range order {
		r := ss[indices[place]].Result
		ms, ok := timeOf(r.ID)
		if i == 0 || !ok || !timed || ms>>bucketBits != slot {
			runs = append(runs, run{key: call.key(c.bucket(r.ID))})
		}
		slot, timed = ms>>bucketBits, ok
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
		if s.Verdict != stem.VerdictAck || s.Delivery.Receipt.(*receipt).life || save && (s.Result != nil) != withResults {
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

// byStream gives the places in a batch, those of one priority together and else in order.
func byStream(ss []stem.Settlement, indices []int) []int {
	order := make([]int, 0, len(indices))
	first := ss[indices[0]].Delivery.Receipt.(*receipt).priority
	mixed := false
	for place, i := range indices {
		order = append(order, place)
		mixed = mixed || ss[i].Delivery.Receipt.(*receipt).priority != first
	}
	if mixed {
		slices.SortStableFunc(order, func(a, b int) int {
			return ss[indices[a]].Delivery.Receipt.(*receipt).priority - ss[indices[b]].Delivery.Receipt.(*receipt).priority
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
