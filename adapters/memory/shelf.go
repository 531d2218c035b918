package memory

import "time"

// shelf is a map whose items expire, each after a lifetime of its own. It knows
// at any time which one expires first. That takes constant time while
// lifetimes are few, as they are where a program's options say them: items of one
// lifetime expire in the order in which they were put, so each lifetime has a
// row, a list in that order, and only the rows need a heap. The zero value is empty.
//
// Expired items go when somebody sweeps.
type shelf[V any] struct {
	items index[V]
	rows  map[time.Duration]*row[V]
	order heap[*row[V]] // by when the row's first item expires
	spare *item[V]      // the last that was removed: where as many come as go, none is allocated
}

type item[V any] struct {
	key     string
	hash    uint64 // of the key
	value   V
	expires instant

	row        *row[V]
	prev, next *item[V]
}

type row[V any] struct {
	lifetime    time.Duration
	first, last *item[V]
	at          int
}

func (r *row[V]) index() *int { return &r.at }

func (s *shelf[V]) len() int { return s.items.size }

// find gives the item of a key, or nil, and whether it has not expired yet.
func (s *shelf[V]) find(key string, now instant) (i *item[V], live bool) {
	i = s.items.find(key)
	return i, i != nil && now < i.expires
}

// put gives an item a lifetime from now: that which find gave for the key, or
// a new one where that is nil. The value is for the caller to set.
func (s *shelf[V]) put(i *item[V], key string, lifetime time.Duration, now instant) *item[V] {
	if i != nil {
		s.unlink(i)
	} else {
		i = s.add(key)
	}
	i.expires = now.plus(lifetime)
	s.link(i, lifetime)
	return i
}

// add gives a new item that is in no row.
func (s *shelf[V]) add(key string) *item[V] {
	if s.rows == nil {
		s.rows = make(map[time.Duration]*row[V])
	}
	i := s.spare
	if i == nil {
		i = new(item[V])
	}
	s.spare = nil
	*i = item[V]{key: key}
	s.items.add(i)
	return i
}

// first gives the item that expires first; there must be one.
func (s *shelf[V]) first() *item[V] { return s.order.top().first }

// remove takes an item out. It can be read until the next put.
func (s *shelf[V]) remove(i *item[V]) {
	s.unlink(i)
	s.items.remove(i)
	s.spare = i
}

// sweep removes items that have expired, at most so many, and shows each to
// gone unless that is nil. A caller that lets it take more than it puts itself
// keeps the shelf from growing, without ever holding others up.
func (s *shelf[V]) sweep(now instant, most int, gone func(*item[V])) {
	for ; most > 0 && s.items.size > 0 && s.order.rank() <= int64(now); most-- {
		i := s.first()
		s.remove(i)
		if gone != nil {
			gone(i)
		}
	}
}

func (s *shelf[V]) link(i *item[V], lifetime time.Duration) {
	r := s.rows[lifetime]
	if r == nil {
		r = &row[V]{lifetime: lifetime, first: i, at: nowhere}
		s.rows[lifetime] = r
		s.order.push(r, int64(i.expires))
	} else {
		r.last.next = i
	}
	i.row, i.prev, r.last = r, r.last, i
}

func (s *shelf[V]) unlink(i *item[V]) {
	r := i.row
	if i.next == nil {
		r.last = i.prev
	} else {
		i.next.prev = i.prev
	}
	if i.prev != nil {
		i.prev.next = i.next
	} else if r.first = i.next; r.first == nil {
		s.order.remove(r)
		delete(s.rows, r.lifetime)
	} else {
		s.order.move(r, int64(r.first.expires))
	}
	i.row, i.prev, i.next = nil, nil, nil
}
