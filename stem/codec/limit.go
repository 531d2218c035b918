package codec

import (
	"errors"
	"unsafe"
)

// MaxDepth is how deep arrays and maps may lie within each other: 64 of them,
// counting the outermost.
const MaxDepth = 64

// ErrTooDeep says that arrays and maps lie within each other more than [MaxDepth]
// deep. Generated code of a recursive type returns it where a value is too deep to be
// read again, which a value that holds itself always is.
var ErrTooDeep = errors.New("nested deeper than 64 levels")

// upFront is how many bytes of elements are allocated on the word of a length
// alone.
const upFront = 4096

// Cap is how many elements to make a slice with where the message announces n: at
// most 4 kB of them, at least one if there is any. Once those have come, make the
// rest: the Reader has seen to it that n bytes are left for n elements, so a lie costs
// its sender as much as the truth.
func Cap[T any](n int) int {
	var elem T
	return capFor(n, unsafe.Sizeof(elem))
}

// MapCap is the size to make a map with where the message announces n entries: at most
// 4 kB of keys and values. The map grows for the rest.
func MapCap[K comparable, V any](n int) int {
	var key K
	var value V
	return capFor(n, unsafe.Sizeof(key)+unsafe.Sizeof(value))
}

func capFor(n int, size uintptr) int {
	return min(n, int(max(upFront/max(size, 1), 1)))
}
