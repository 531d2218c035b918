package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// A Reader takes values off the front of an encoded message, in the order in which
// they were appended. It is a plain value: declare it with [NewReader] on the
// stack, or keep one and Reset it.
//
// Once a read has failed, every later one returns a zero value; look at Err or
// Finish once, at the end. Strings and byte slices that it returns are copies
// unless a method says otherwise. One Reader serves one goroutine.
type Reader struct {
	data  []byte
	off   int // data[off] comes next; always within 0 ≤ off ≤ len(data)
	room  int // elements, keys and values that may still be announced: each has a byte of its own
	depth int // arrays and maps entered and not left
	err   *Error
}

// NewReader returns a Reader of data, which it neither changes nor copies.
func NewReader(data []byte) Reader { return Reader{data: data, room: len(data)} }

// Reset lets the Reader begin anew with data.
func (r *Reader) Reset(data []byte) { *r = NewReader(data) }

// Failed tells whether a read has failed.
func (r *Reader) Failed() bool { return r.err != nil }

// Err returns the first failure as an [*Error], or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Finish returns the first failure, or an error where bytes are left, or nil.
func (r *Reader) Finish() error {
	if r.off < len(r.data) {
		r.fail(r.off, errors.New("trailing bytes"))
	}
	return r.Err()
}

// Offset is the number of bytes read so far.
func (r *Reader) Offset() int { return r.off }

// Kind tells what comes next, without reading it.
func (r *Reader) Kind() Kind {
	if r.off >= len(r.data) {
		return End
	}
	return kindOf(r.data[r.off])
}

// Nil reads a nil if one comes next, and tells whether it did.
func (r *Reader) Nil() bool {
	if rest := r.data[r.off:]; len(rest) > 0 && rest[0] == nilCode {
		r.off++
		return true
	}
	return false
}

// Bool reads a bool.
func (r *Reader) Bool() bool {
	if rest := r.data[r.off:]; len(rest) > 0 {
		switch rest[0] {
		case trueCode:
			r.off++
			return true
		case falseCode, nilCode:
			r.off++
			return false
		}
	}
	r.failWant(Bool.String())
	return false
}

// EnterMap reads the beginning of a map and returns the number of its entries; a
// nil counts as a map without any. The caller reads each key and each value next,
// then calls Leave.
func (r *Reader) EnterMap() int {
	if rest := r.data[r.off:]; len(rest) > 0 && r.depth < MaxDepth {
		if n := int(rest[0] ^ fixmap); n < 16 && 2*n < len(rest) && 2*n <= r.room {
			r.off++
			r.room -= 2 * n
			r.depth++
			return n
		}
	}
	return r.enter(Map, fixmap, map16)
}

// EnterArray reads the beginning of an array and returns the number of its
// elements; a nil counts as an array without any. The caller reads each element
// next, then calls Leave.
func (r *Reader) EnterArray() int {
	if rest := r.data[r.off:]; len(rest) > 0 && r.depth < MaxDepth {
		if n := int(rest[0] ^ fixarray); n < 16 && n < len(rest) && n <= r.room {
			r.off++
			r.room -= n
			r.depth++
			return n
		}
	}
	return r.enter(Array, fixarray, array16)
}

// EnterFixedArray is EnterArray for a Go array of length limit: more elements than
// that are a failure, fewer are not.
func (r *Reader) EnterFixedArray(limit int) int {
	off := r.off
	n := r.EnterArray()
	if n > limit {
		r.fail(off, errors.New("more elements than the Go array holds"))
		return 0
	}
	return n
}

// Leave ends what EnterMap, EnterArray or EnterFixedArray began. After a failure
// it may be left out.
func (r *Reader) Leave() { r.depth-- }

// enter goes one level down into a map or an array, whose headers are fix with a
// length of four bits, code16, and the code after it with one of 32 bits. It takes
// every form, nil too, and says what is wrong with any other.
func (r *Reader) enter(kind Kind, fix, code16 byte) int {
	rest := r.data[r.off:]
	n, size := 0, 0
	if len(rest) > 0 {
		switch c := rest[0]; {
		case c == nilCode:
			size = 1
		case c&0xf0 == fix:
			n, size = int(c&0x0f), 1
		case c == code16 && len(rest) >= 3:
			n, size = int(binary.BigEndian.Uint16(rest[1:])), 3
		case c == code16+1 && len(rest) >= 5:
			n, size = length32(rest[1:]), 5
		}
	}
	least, things := 1, "elements"
	if kind == Map {
		least, things = 2, "entries"
	}
	switch {
	case size == 0:
		r.failWant(kind.String())
		return 0
	case n > (len(rest)-size)/least:
		r.failShort(n, things, len(rest)-size)
		return 0
	case n*least > r.room:
		// Arrays within each other could all claim the same bytes.
		r.fail(r.off, errors.New(kind.String()+" of "+strconv.Itoa(n)+" "+things+", more than the message has bytes for"))
		return 0
	case r.depth >= MaxDepth:
		r.fail(r.off, ErrTooDeep)
		return 0
	}
	r.depth++
	r.room -= n * least
	r.off += size
	return n
}

// length32 gives a length of four bytes, or the largest int where it is larger still.
func length32(b []byte) int {
	return int(min(uint64(binary.BigEndian.Uint32(b)), math.MaxInt))
}
