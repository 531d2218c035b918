package memory

import (
	"slices"
	"strconv"
	"strings"
)

// mostLooked is how many entries are looked at for one page.
const mostLooked = 1000

// spot is where something stands in a list: what comes first differs from list to list.
type spot [3]int64

func (s spot) compare(t spot) int { return slices.Compare(s[:], t[:]) }

// text writes a spot as cursors and places have it, with what kind it is before it.
func (s spot) text(kind string) string {
	b := []byte(kind)
	for _, n := range s {
		b = strconv.AppendInt(append(b, '.'), n, 10)
	}
	return string(b)
}

// parseSpot reads what text wrote.
func parseSpot(kind, text string) (s spot, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 1+len(s) || parts[0] != kind {
		return spot{}, false
	}
	for i := range s {
		n, err := strconv.ParseInt(parts[1+i], 10, 64)
		if err != nil {
			return spot{}, false
		}
		s[i] = n
	}
	return s, true
}

// sighting is an entry and where it stands.
type sighting struct {
	spot
	entry *entry
}

// glance picks from many entries those that come first after a spot, without putting all in order.
type glance struct {
	after spot
	most  int
	seen  []sighting
	end   *spot // what comes after it is not wanted any more
	more  bool  // something was left out

	marked int  // how many marks were left in lines
	short  bool // there were more entries to pass than are passed at once: what was seen may not be the first
}

// see shows an entry. It reports whether entries further behind may be wanted, too.
func (g *glance) see(at spot, e *entry) bool {
	if at.compare(g.after) <= 0 {
		return true
	}
	if g.end != nil && at.compare(*g.end) > 0 {
		g.more = true
		return false
	}
	if g.seen = append(g.seen, sighting{at, e}); len(g.seen) >= 2*g.most {
		g.cut()
	}
	return true
}

// cut keeps the first, in order.
func (g *glance) cut() {
	slices.SortFunc(g.seen, func(a, b sighting) int { return a.compare(b.spot) })
	if len(g.seen) > g.most {
		clear(g.seen[g.most:])
		g.seen, g.more = g.seen[:g.most], true
		g.end = &g.seen[g.most-1].spot
	}
}
