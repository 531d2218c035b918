package memory

// heap is a queue of items by rank, the lowest first, and among equals first in,
// first out. Its items know where they are in it, so that one in the middle can be
// moved or removed. The zero value is empty.
type heap[T indexed] struct {
	items []ranked[T]
	last  int64 // counts pushes: the order of equals
}

// indexed is what a heap's items have: room for their index, which is the
// heap's to write and [nowhere] while they are in none.
type indexed interface{ index() *int }

const nowhere = -1

// ranked stands for an item. The rank stands beside it, for to look into the
// item itself would mean a cache miss at each step.
type ranked[T any] struct {
	rank, order int64
	item        T
}

func (h *heap[T]) len() int { return len(h.items) }

// top gives the first item; there must be one.
func (h *heap[T]) top() T { return h.items[0].item }

// rank gives the rank of the first item; there must be one.
func (h *heap[T]) rank() int64 { return h.items[0].rank }

// push adds an item that is in no heap.
func (h *heap[T]) push(item T, rank int64) {
	h.last++
	h.items = append(h.items, ranked[T]{rank, h.last, item})
	h.up(len(h.items) - 1)
}

// pop removes the first item; there must be one.
func (h *heap[T]) pop() T {
	item := h.top()
	h.remove(item)
	return item
}

// move gives an item another rank.
func (h *heap[T]) move(item T, rank int64) {
	i := *item.index()
	h.items[i].rank = rank
	h.down(h.up(i))
}

// remove takes an item out.
func (h *heap[T]) remove(item T) {
	i, end := *item.index(), len(h.items)-1
	h.items[i] = h.items[end]
	h.items[end] = ranked[T]{}
	h.items = h.items[:end]
	*item.index() = nowhere
	if i < end {
		h.down(h.up(i))
	}
	if cap(h.items) > 64 && len(h.items) < cap(h.items)/4 {
		// A storm of a million delayed tasks must not be remembered for ever.
		h.items = append(make([]ranked[T], 0, cap(h.items)/2), h.items...)
	}
}

// up brings the item at i to where nothing behind it comes before it.
func (h *heap[T]) up(i int) int {
	moving := h.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !moving.before(&h.items[parent]) {
			break
		}
		h.set(i, h.items[parent])
		i = parent
	}
	h.set(i, moving)
	return i
}

// down brings the item at i to where nothing in front of it comes after it.
func (h *heap[T]) down(i int) {
	moving := h.items[i]
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if right := child + 1; right < len(h.items) && h.items[right].before(&h.items[child]) {
			child = right
		}
		if !h.items[child].before(&moving) {
			break
		}
		h.set(i, h.items[child])
		i = child
	}
	h.set(i, moving)
}

func (h *heap[T]) set(i int, r ranked[T]) {
	h.items[i] = r
	*r.item.index() = i
}

func (r *ranked[T]) before(other *ranked[T]) bool {
	return r.rank < other.rank || r.rank == other.rank && r.order < other.order
}

// countTo counts the items of at most a rank. It looks at those, at their
// children, and at no others.
func (h *heap[T]) countTo(rank int64) int { return h.countBelow(0, rank) }

func (h *heap[T]) countBelow(i int, rank int64) int {
	if i >= len(h.items) || h.items[i].rank > rank {
		return 0
	}
	return 1 + h.countBelow(2*i+1, rank) + h.countBelow(2*i+2, rank)
}
