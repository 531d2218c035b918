package memory

import "hash/maphash"

// tombstones remember ids of which there was a result: the last 65,536 for
// certain, and at most twice as many. They keep a hash instead of the id, which makes a
// million of them cheap; that two of 64 bits are equal will not happen to
// anybody. The zero value remembers nothing.
type tombstones struct {
	seed       maphash.Seed
	young, old map[uint64]struct{}
}

const generation = 1 << 16

// add remembers an id. When a generation is full, the one before it is
// forgotten: no tombstone needs to know its age.
func (t *tombstones) add(id string) {
	if t.young == nil {
		t.seed = maphash.MakeSeed()
		t.young, t.old = make(map[uint64]struct{}), make(map[uint64]struct{})
	}
	if len(t.young) == generation {
		t.young, t.old = t.old, t.young
		clear(t.young)
	}
	t.young[maphash.String(t.seed, id)] = struct{}{}
}

func (t *tombstones) has(id string) bool {
	if t.young == nil {
		return false
	}
	hash := maphash.String(t.seed, id)
	_, young := t.young[hash]
	_, old := t.old[hash]
	return young || old
}
