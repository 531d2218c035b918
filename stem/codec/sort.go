package codec

import (
	"bytes"
	"cmp"
	"errors"
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
	sortEntries(entries)
	return entries
}

// sortEntries sorts entries by their keys, which are all different.
func sortEntries[K cmp.Ordered, V any](entries []Entry[K, V]) {
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

// An EncodedEntry is the key of a map as it stands on the wire, with its value.
type EncodedEntry[V any] struct {
	Key   []byte
	Value V
}

// EncodedEntries gives the entries of m in the order of their encoded keys, for keys
// that say themselves how they travel. It fails where appendKey does, and where two keys
// have one encoding: only one of them would arrive.
func EncodedEntries[K comparable, V any](m map[K]V, appendKey func([]byte, *K) ([]byte, error)) ([]EncodedEntry[V], error) {
	entries := make([]EncodedEntry[V], 0, len(m))
	var keys []byte // one after the other; where it moves, earlier keys keep what they have
	for k, v := range m {
		from := len(keys)
		var err error
		if keys, err = appendKey(keys, &k); err != nil {
			return nil, err
		}
		entries = append(entries, EncodedEntry[V]{keys[from:len(keys):len(keys)], v})
	}
	slices.SortFunc(entries, func(a, b EncodedEntry[V]) int { return bytes.Compare(a.Key, b.Key) })
	for i := 1; i < len(entries); i++ {
		if bytes.Equal(entries[i-1].Key, entries[i].Key) {
			return nil, errSameKey
		}
	}
	return entries, nil
}

var errSameKey = errors.New("two keys of a map have one encoding")
