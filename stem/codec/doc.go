// Package codec is the MessagePack runtime of generated code: functions that
// append values to a buffer, and a [Reader] that takes them off again.
//
// It uses no reflection and boxes nothing. The wire is that of
// github.com/vmihailenco/msgpack/v5 with compact ints and sorted map keys: what
// the writers append is byte for byte what that package encodes, and each reads
// what the other wrote. (That package sorts the keys of three types of maps;
// [SortedEntries] sorts them all, so that equal values have equal bytes.)
//
// # Reading what cannot be trusted
//
// A Reader never panics, and it never allocates more than the input can pay
// for: a length is believed only as far as there are bytes left, nesting ends at
// [MaxDepth], and skipping a value does not recurse. The first failure stays: it
// empties the Reader, so that every later read returns a zero value at once, and
// [Reader.Finish] reports it with its path and its offset.
//
// # What is read as what
//
//	Go                wire
//	bool              bool
//	intN, uintN       any int or uint whose value fits; never a float
//	float64           float32, float64, any int or uint
//	float32           float32, a float64 without loss, any int or uint
//	string            str, bin
//	[]byte, [N]byte   bin, str
//	time.Time         ext −1 (4, 8 or 12 bytes), always as UTC
//	time.Duration     as int64: nanoseconds
//	slice, array      array
//	map, struct       map
//
// A nil stands for the zero value of each of these. A field that is missing stays as
// it is, an unknown one is skipped, and one that comes twice is read twice.
package codec
