package memory

// tombstones remember ids of which there was a result: the last 65,536 for
// certain, and at most twice as many. They keep the hash instead of the id,
// 16 bytes for each; that two of 64 bits are equal will not happen to anybody.
// The zero value remembers nothing.
type tombstones struct {
	young, old []uint64 // hash tables with linear probing; 0 is a free slot
	count      int      // of the young
}

const generation = 1 << 16

// add remembers a hash. When a generation is full, the one before it is
// forgotten: no tombstone needs to know its age.
func (t *tombstones) add(hash uint64) {
	switch {
	case t.young == nil:
		t.young = make([]uint64, 2*generation)
	case t.count == generation && t.old == nil:
		t.young, t.old, t.count = make([]uint64, 2*generation), t.young, 0
	case t.count == generation:
		t.young, t.old, t.count = t.old, t.young, 0
		clear(t.young)
	}
	if slot := find(t.young, hash); *slot == 0 {
		*slot = max(hash, 1)
		t.count++
	}
}

func (t *tombstones) has(hash uint64) bool {
	return t.young != nil && *find(t.young, hash) != 0 ||
		t.old != nil && *find(t.old, hash) != 0
}

// find gives the slot where a hash is, or the free one where it belongs.
func find(table []uint64, hash uint64) *uint64 {
	hash = max(hash, 1) // 0 means free
	i := hash % uint64(len(table))
	for table[i] != 0 && table[i] != hash {
		i = (i + 1) % uint64(len(table))
	}
	return &table[i]
}
