package memory

import (
	"cmp"
	"slices"
)

// marks are entries of a lane's line, about betweenMarks apart and in order, so that who lists a long one page by page does not pass all
// those before at each page. Listing leaves them; nothing else takes notice.
type marks []mark

// mark is an entry with the place that it had. It stands there for as long as the head of the line has not passed
// that: afterwards it may have another one.
type mark struct {
	place int64
	entry *entry
}

// A look passes the entries between mostMarked new marks at most, each perhaps one that no cache holds any more: some milliseconds.
const (
	betweenMarks = 1024
	mostMarked   = 32
)

// seek gives the entry of the line from which on those are found that come after the spot of a glance, which is of the lane's tier; nil
// where there is none, or where it is too far for one look. Then the next one goes on from the marks of this one.
func (l *lane) seek(g *glance) *entry {
	if l.first == nil || g.short {
		return nil
	}
	byPlace := func(m mark, place int64) int { return cmp.Compare(m.place, place) }
	gone, _ := slices.BinarySearchFunc(l.marks, l.first.place, byPlace)
	l.marks = slices.Delete(l.marks, 0, gone)
	e, after := l.first, g.after[1]
	before, _ := slices.BinarySearchFunc(l.marks, after, byPlace)
	if before > 0 {
		e = l.marks[before-1].entry
	}
	atEnd := before == len(l.marks)
	for passed := 1; e != nil && e.place <= after; passed++ {
		if e = e.next; e == nil || !atEnd || passed%betweenMarks > 0 {
			continue
		}
		l.marks = append(l.marks, mark{e.place, e})
		if g.marked++; g.marked == mostMarked {
			g.short = true
			return nil
		}
	}
	return e
}
