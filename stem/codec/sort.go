package codec

import (
	"cmp"
	"slices"
)

// SortedKeys appends the keys of m to keys, which is empty, and sorts them. Generated
// code passes a slice with some capacity on its stack:
//
//	for _, k := range codec.SortedKeys(make([]string, 0, 16), m) {
func SortedKeys[K cmp.Ordered, V any](keys []K, m map[K]V) []K {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
