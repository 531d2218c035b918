package codec

import (
	"errors"
	"unsafe"
)

// MaxDepth is how deep arrays and maps may lie within each other: 64 of them,
// counting the outermost.
const MaxDepth = 64

var errTooDeep = errors.New("nested deeper than 64 levels")

// upFront is how many bytes of elements are allocated on the word of a length
// alone. Beyond it, memory is taken as elements really come.
const upFront = 4096

// Cap is the capacity to make a slice of n elements with, n as the message
// announces it: at most 4 kB of elements. Append the rest.
func Cap[T any](n int) int {
	var elem T
	return capFor(n, unsafe.Sizeof(elem))
}

// MapCap is the size to make a map of n entries with, n as the message announces
// it: at most 4 kB of keys and values. The map grows for the rest.
func MapCap[K comparable, V any](n int) int {
	var key K
	var value V
	return capFor(n, unsafe.Sizeof(key)+unsafe.Sizeof(value))
}

func capFor(n int, size uintptr) int {
	return min(n, int(upFront/max(size, 1)))
}
