package memory

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// wall gives an instant by the wall clock.
func (s *Store) wall(t instant) time.Time { return s.epoch.Add(time.Duration(t)).Round(0).UTC() }

// Queues answers the names of the queues that are not idle.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.queues))
	return slices.DeleteFunc(names, func(name string) bool { return s.queues[name].idle(now) }), nil
}

// GaugeQueue measures a queue.
func (s *Store) GaugeQueue(ctx context.Context, queue string) (ops.Gauge, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return ops.Gauge{}, err
	}
	defer s.mu.Unlock()
	s.rescue(now)
	q := s.queues[queue]
	if q == nil {
		return ops.Gauge{}, nil
	}
	return ops.Gauge{Oldest: q.oldest(now), Retrying: q.retrying(now)}, nil
}

// oldest gives for how long the head of a tier has been due, of all tiers the longest.
func (q *queue) oldest(now instant) (oldest time.Duration) {
	for i := range q.tiers {
		t := &q.tiers[i]
		if t.lanes.len() > 0 {
			oldest = max(oldest, time.Duration(now-t.lanes.top().peek().due))
		}
		if t.delayed.len() > 0 {
			oldest = max(oldest, time.Duration(now)-time.Duration(t.delayed.rank()))
		}
	}
	return oldest
}

// mostGauged is how many of the delayed entries are looked at to count those that are retried.
const mostGauged = 10_000

func (q *queue) retrying(now instant) (n int) {
	g := glance{most: mostGauged, after: spot{int64(now), math.MaxInt64}}
	q.seeDelayed(&g)
	g.cut()
	for _, seen := range g.seen {
		if seen.entry.failures > 0 {
			n++
		}
	}
	return n
}

// ListTasks answers a page of tasks. It looks at a thousand entries at most. What stands before them in a long line it has to pass,
// some ten thousand in a call: where these are not enough the page is empty, and the next one goes on from there.
func (s *Store) ListTasks(ctx context.Context, query ops.TaskQuery) (ops.TaskPage, error) {
	after, err := cursor(string(query.State), query.After)
	if err != nil {
		return ops.TaskPage{}, err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return ops.TaskPage{}, err
	}
	defer s.mu.Unlock()
	s.rescue(now)
	q := s.queues[query.Queue]
	if q == nil {
		return ops.TaskPage{}, nil
	}
	g := &glance{after: after, most: mostLooked}
	switch query.State {
	case ops.Running:
		q.seeRunning(g)
	case ops.Ready:
		q.seeReady(g, now)
	case ops.Unknown:
		q.seeAside(g)
	default:
		if due := (spot{int64(now), math.MaxInt64}); g.after.compare(due) < 0 {
			g.after = due // by now it is ready
		}
		q.seeDelayed(g)
	}
	return q.page(g, &query, now), nil
}

// cursor reads where a page begins.
func cursor(kind, text string) (spot, error) {
	if text == "" {
		return spot{math.MinInt64}, nil
	}
	at, ok := parseSpot(kind, text)
	if !ok {
		return at, &stem.OptionError{Option: "cursor", Value: fmt.Sprintf("%.60q", text), Want: "the one that the page before gave"}
	}
	return at, nil
}

// seeRunning shows what is on loan, by the number of its delivery.
func (q *queue) seeRunning(g *glance) {
	for _, session := range q.store.sessions {
		for _, e := range session.held {
			if e.queue == q && !e.waiting() {
				g.see(spot{e.number}, e)
			}
		}
	}
}

// seeReady shows what stands in line. What has come due and was not moved into its lane stands behind all others of
// its priority; while there is more of that than may be moved at once, no lower priority has its turn.
func (q *queue) seeReady(g *glance, now instant) {
	ripening := mostRipened
	for priority := len(q.tiers) - 1; priority >= 0; priority-- {
		t := &q.tiers[priority]
		ripening -= q.ripen(t, ripening, now)
		for _, lane := range t.lanes.items {
			lane.item.see(g)
		}
		if t.delayed.len() > 0 && t.delayed.rank() <= int64(now) {
			g.more = true
			break
		}
	}
	if ripening < mostRipened {
		q.callNext()
	}
}

func (q *queue) seeAside(g *glance) {
	for _, lanes := range q.aside.lanes {
		for l := range lanes {
			l.see(g)
		}
	}
}

// see shows what waits in the lane.
func (l *lane) see(g *glance) {
	tier := int64(stem.MaxPriority - l.priority)
	if tier < g.after[0] {
		return // all of it stands before
	}
	e := l.first
	if tier == g.after[0] {
		e = l.seek(g)
	}
	for e != nil && (e.deleted || g.see(spot{tier, e.place}, e)) {
		e = e.next
	}
	for i := range l.returned.items {
		g.see(spot{tier, l.returned.items[i].rank}, l.returned.items[i].item)
	}
}

// seeDelayed shows what is due later, by when.
func (q *queue) seeDelayed(g *glance) {
	for priority := range q.tiers {
		for _, d := range q.tiers[priority].delayed.items {
			g.see(spot{d.rank, int64(priority), d.order}, d.item)
		}
	}
}

// page makes a page of what was seen.
func (q *queue) page(g *glance, query *ops.TaskQuery, now instant) (page ops.TaskPage) {
	if g.short {
		page.Next = g.after.text(string(query.State))
		return page
	}
	g.cut()
	last := g.after
	for _, seen := range g.seen {
		if len(page.Tasks) == query.Limit {
			g.more = true
			break
		}
		page.Looked++
		last = seen.spot
		if seen.entry.wanted(query) {
			page.Tasks = append(page.Tasks, q.task(seen, query.State, now))
		}
	}
	if g.more {
		page.Next = last.text(string(query.State))
	}
	return page
}

func (e *entry) wanted(query *ops.TaskQuery) bool {
	env := &e.envelope
	return (query.Task == "" || query.Task == env.Task) && (query.ID == "" || query.ID == env.ID) &&
		(query.State != ops.Retrying || e.failures > 0) && (query.State != ops.Delayed || e.failures == 0)
}

// task describes an entry.
func (q *queue) task(seen sighting, state ops.State, now instant) ops.Task {
	e := seen.entry
	t := ops.Task{
		Envelope: &e.envelope, State: state, Place: e.spot(seen.spot, state).text(string(state)),
		Attempt: int(e.failures) + 1, Interruptions: e.interrupted.count(), Snoozes: int(e.snoozes), Releases: int(e.releases),
		Delivery: e.number, Marks: e.marks,
		Published: q.store.wall(e.published), Due: q.store.wall(e.due), Now: q.store.wall(now),
	}
	if e.holder != nil {
		t.Session, t.Lapses = e.holder.id, q.store.wall(e.holder.lapse())
	}
	return t
}

// spot gives where the entry is found again: what stands in line has its delivery besides, since it may run
// meanwhile and come back to its place.
func (e *entry) spot(at spot, state ops.State) spot {
	if state == ops.Ready || state == ops.Unknown {
		at[2] = e.number
	}
	return at
}
