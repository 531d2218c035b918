package codec

import (
	"encoding/binary"
	"math"
)

// Int64 reads an int or uint of any width whose value fits.
func (r *Reader) Int64() int64 {
	if i := r.off; uint(i) < uint(len(r.data)) && r.data[i] <= posFixintMax {
		r.off = i + 1
		return int64(r.data[i])
	}
	return r.int64()
}

func (r *Reader) int64() int64 {
	off := r.off
	v, negative := r.integer()
	if !negative && v > math.MaxInt64 {
		r.failRange(off, "int64")
		return 0
	}
	return int64(v)
}

// Int reads an int or uint of any width whose value fits.
func (r *Reader) Int() int {
	off := r.off
	v := r.Int64()
	if int64(int(v)) != v {
		r.failRange(off, "int")
		return 0
	}
	return int(v)
}

// Int32 reads an int or uint of any width whose value fits.
func (r *Reader) Int32() int32 {
	off := r.off
	v := r.Int64()
	if int64(int32(v)) != v {
		r.failRange(off, "int32")
		return 0
	}
	return int32(v)
}

// Int16 reads an int or uint of any width whose value fits.
func (r *Reader) Int16() int16 {
	off := r.off
	v := r.Int64()
	if int64(int16(v)) != v {
		r.failRange(off, "int16")
		return 0
	}
	return int16(v)
}

// Int8 reads an int or uint of any width whose value fits.
func (r *Reader) Int8() int8 {
	off := r.off
	v := r.Int64()
	if int64(int8(v)) != v {
		r.failRange(off, "int8")
		return 0
	}
	return int8(v)
}

// Uint64 reads an int or uint of any width whose value fits.
func (r *Reader) Uint64() uint64 {
	if i := r.off; uint(i) < uint(len(r.data)) && r.data[i] <= posFixintMax {
		r.off = i + 1
		return uint64(r.data[i])
	}
	return r.uint64()
}

func (r *Reader) uint64() uint64 {
	off := r.off
	v, negative := r.integer()
	if negative {
		r.failRange(off, "uint64")
		return 0
	}
	return v
}

// Uint reads an int or uint of any width whose value fits.
func (r *Reader) Uint() uint {
	off := r.off
	v := r.Uint64()
	if uint64(uint(v)) != v {
		r.failRange(off, "uint")
		return 0
	}
	return uint(v)
}

// Uint32 reads an int or uint of any width whose value fits.
func (r *Reader) Uint32() uint32 {
	off := r.off
	v := r.Uint64()
	if uint64(uint32(v)) != v {
		r.failRange(off, "uint32")
		return 0
	}
	return uint32(v)
}

// Uint16 reads an int or uint of any width whose value fits.
func (r *Reader) Uint16() uint16 {
	off := r.off
	v := r.Uint64()
	if uint64(uint16(v)) != v {
		r.failRange(off, "uint16")
		return 0
	}
	return uint16(v)
}

// Uint8 reads an int or uint of any width whose value fits.
func (r *Reader) Uint8() uint8 {
	off := r.off
	v := r.Uint64()
	if uint64(uint8(v)) != v {
		r.failRange(off, "uint8")
		return 0
	}
	return uint8(v)
}

// integer reads an int, uint or nil of any width. negative says that v holds the
// bits of an int64 below zero.
func (r *Reader) integer() (v uint64, negative bool) {
	rest := r.data[r.off:]
	if len(rest) == 0 {
		r.failWant("int")
		return 0, false
	}
	c, rest := rest[0], rest[1:]
	var n int64
	switch {
	case c <= posFixintMax:
		r.off++
		return uint64(c), false
	case c >= negFixintMin:
		r.off++
		return uint64(int64(int8(c))), true
	case c == wireNil:
		r.off++
		return 0, false
	case c == uint8Code && len(rest) >= 1:
		r.off += 2
		return uint64(rest[0]), false
	case c == uint16Code && len(rest) >= 2:
		r.off += 3
		return uint64(binary.BigEndian.Uint16(rest)), false
	case c == uint32Code && len(rest) >= 4:
		r.off += 5
		return uint64(binary.BigEndian.Uint32(rest)), false
	case c == uint64Code && len(rest) >= 8:
		r.off += 9
		return binary.BigEndian.Uint64(rest), false
	case c == int8Code && len(rest) >= 1:
		r.off += 2
		n = int64(int8(rest[0]))
	case c == int16Code && len(rest) >= 2:
		r.off += 3
		n = int64(int16(binary.BigEndian.Uint16(rest)))
	case c == int32Code && len(rest) >= 4:
		r.off += 5
		n = int64(int32(binary.BigEndian.Uint32(rest)))
	case c == int64Code && len(rest) >= 8:
		r.off += 9
		n = int64(binary.BigEndian.Uint64(rest))
	default:
		r.failWant("int")
	}
	return uint64(n), n < 0
}

// Float64 reads a float32, a float64, or an int or uint of any width; beyond 2⁵³
// an int may be rounded.
func (r *Reader) Float64() float64 {
	if rest := r.data[r.off:]; len(rest) >= 9 && rest[0] == float64Code {
		r.off += 9
		return math.Float64frombits(binary.BigEndian.Uint64(rest[1:]))
	}
	return r.float64()
}

func (r *Reader) float64() float64 {
	rest := r.data[r.off:]
	if len(rest) >= 5 && rest[0] == float32Code {
		r.off += 5
		return float64(math.Float32frombits(binary.BigEndian.Uint32(rest[1:])))
	}
	if k := r.Kind(); k != Int && k != Nil {
		r.failWant("float")
		return 0
	}
	v, negative := r.integer()
	if negative {
		return float64(int64(v))
	}
	return float64(v)
}

// Float32 reads a float32, a float64 that a float32 can hold without loss, or an
// int or uint of any width; beyond 2²⁴ an int may be rounded.
func (r *Reader) Float32() float32 {
	off := r.off
	isDouble := off < len(r.data) && r.data[off] == float64Code
	v := r.Float64()
	if isDouble && float64(float32(v)) != v && v == v {
		r.failRange(off, "float32")
		return 0
	}
	return float32(v)
}
