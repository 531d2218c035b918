package stem

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// What lies in stores, envelopes and results, has the same wire format: MessagePack, an
// array of the version and a map of the fields that are not zero, keyed by small integers.
//
// A key, once given, keeps its meaning for ever. Readers skip keys that they do
// not know, so a field may be added; the version changes only when an old reader would
// misunderstand what it reads.

// beginWire appends the array and the version. The fields come next, then end.
func beginWire(b []byte, version uint64) fieldWriter {
	b = codec.AppendArrayLen(b, 2)
	b = codec.AppendUint(b, version)
	// The count of the fields follows them, so its place is kept: a map16 header.
	return fieldWriter{b: append(b, 0xde, 0, 0), fields: len(b) + 3}
}

// fieldWriter appends the fields that are not zero and counts them.
type fieldWriter struct {
	b      []byte
	fields int // where they begin in b
	n      int
}

// end writes how many fields there are, at most 255, and gives the bytes.
func (w *fieldWriter) end() []byte {
	w.b[w.fields-1] = byte(w.n)
	return w.b
}

func (w *fieldWriter) key(k uint64) {
	w.b = codec.AppendUint(w.b, k)
	w.n++
}

func (w *fieldWriter) str(k uint64, s string) {
	if s != "" {
		w.key(k)
		w.b = codec.AppendString(w.b, s)
	}
}

func (w *fieldWriter) bytes(k uint64, v []byte) {
	if len(v) > 0 {
		w.key(k)
		w.b = codec.AppendBytes(w.b, v)
	}
}

func (w *fieldWriter) int(k uint64, v int64) {
	if v != 0 {
		w.key(k)
		w.b = codec.AppendInt(w.b, v)
	}
}

func (w *fieldWriter) flag(k uint64, set bool) {
	if set {
		w.int(k, 1)
	}
}

func (w *fieldWriter) duration(k uint64, d time.Duration) {
	if d != 0 {
		w.key(k)
		w.b = appendDuration(w.b, d)
	}
}

// appendDuration appends a duration of 0 or more: whole milliseconds as their number, anything finer as
// nanoseconds below zero. What people set is whole, and a day takes five bytes so instead of nine.
func appendDuration(b []byte, d time.Duration) []byte {
	if d%time.Millisecond == 0 {
		return codec.AppendInt(b, int64(d/time.Millisecond))
	}
	return codec.AppendInt(b, -int64(d))
}

func readDuration(r *codec.Reader) time.Duration {
	v := r.Int64()
	switch {
	case v == math.MinInt64 || v > math.MaxInt64/int64(time.Millisecond):
		r.Fail(errors.New("a duration of more than 292 years"))
		return 0
	case v < 0:
		return time.Duration(-v)
	default:
		return time.Duration(v) * time.Millisecond
	}
}

// enterWire reads what beginWire wrote. The map of the fields comes next.
func enterWire(r *codec.Reader, version uint) {
	if n := r.EnterArray(); !r.Failed() && n != 2 {
		r.Fail(errors.New("want an array of version and fields"))
	}
	if v := r.Uint(); !r.Failed() && v != version {
		r.Fail(fmt.Errorf("version %d, this build reads version %d: update this program", v, version))
	}
}
