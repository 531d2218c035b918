package codec

import (
	"cmp"
	"slices"
)

// An Entry is one key of a map with its value.
type Entry[K cmp.Ordered, V any] struct {
	Key   K
	Value V
}

// SortedEntries appends the entries of m to entries, which is empty, in the order of
// their keys. Generated code passes a slice with some capacity, which lies on its
// stack then:
//
//	for _, e := range codec.SortedEntries(make([]codec.Entry[string, int], 0, 8), m) {
func SortedEntries[K cmp.Ordered, V any](entries []Entry[K, V], m map[K]V) []Entry[K, V] {
	for k, v := range m {
		entries = append(entries, Entry[K, V]{k, v})
	}
	SortEntries(entries)
	return entries
}

// SortEntries sorts entries by their keys, which are all different.
func SortEntries[K cmp.Ordered, V any](entries []Entry[K, V]) {
	if len(entries) > 12 {
		slices.SortFunc(entries, func(a, b Entry[K, V]) int { return cmp.Compare(a.Key, b.Key) })
		return
	}
	// Most maps are this small, and an insertion sort without calls takes half the time.
	for i := 1; i < len(entries); i++ {
		e, j := entries[i], i
		for ; j > 0 && e.Key < entries[j-1].Key; j-- {
			entries[j] = entries[j-1]
		}
		entries[j] = e
	}
}
