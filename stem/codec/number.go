package codec

import (
	"encoding/binary"
	"math"
)

// Int64 reads an int or uint of any width whose value fits.
func (r *Reader) Int64() int64 {
	if rest := r.data[r.off:]; len(rest) > 0 && rest[0] <= posFixintMax {
		r.off++
		return int64(rest[0])
	}
	off := r.off
	v, negative := r.integer()
	if !negative && v > math.MaxInt64 {
		r.failRange(off, "int64")
		return 0
	}
	return int64(v)
}

// Int32 reads an int or uint of any width whose value fits.
func (r *Reader) Int32() int32 { return signed[int32](r, "int32") }

// Int16 reads an int or uint of any width whose value fits.
func (r *Reader) Int16() int16 { return signed[int16](r, "int16") }

// Int8 reads an int or uint of any width whose value fits.
func (r *Reader) Int8() int8 { return signed[int8](r, "int8") }

// Int reads an int or uint of any width whose value fits.
func (r *Reader) Int() int { return signed[int](r, "int") }

func signed[T int8 | int16 | int32 | int](r *Reader, want string) T {
	off := r.off
	v := r.Int64()
	if int64(T(v)) != v {
		r.failRange(off, want)
		return 0
	}
	return T(v)
}

// Uint64 reads an int or uint of any width whose value fits.
func (r *Reader) Uint64() uint64 {
	if rest := r.data[r.off:]; len(rest) > 0 && rest[0] <= posFixintMax {
		r.off++
		return uint64(rest[0])
	}
	off := r.off
	v, negative := r.integer()
	if negative {
		r.failRange(off, "uint64")
		return 0
	}
	return v
}

// Uint32 reads an int or uint of any width whose value fits.
func (r *Reader) Uint32() uint32 { return unsigned[uint32](r, "uint32") }

// Uint16 reads an int or uint of any width whose value fits.
func (r *Reader) Uint16() uint16 { return unsigned[uint16](r, "uint16") }

// Uint8 reads an int or uint of any width whose value fits.
func (r *Reader) Uint8() uint8 { return unsigned[uint8](r, "uint8") }

// Uint reads an int or uint of any width whose value fits.
func (r *Reader) Uint() uint { return unsigned[uint](r, "uint") }

func unsigned[T uint8 | uint16 | uint32 | uint](r *Reader, want string) T {
	off := r.off
	v := r.Uint64()
	if uint64(T(v)) != v {
		r.failRange(off, want)
		return 0
	}
	return T(v)
}

// integer reads an int, uint or nil of any width. negative says that v holds the
// bits of an int64 below zero.
func (r *Reader) integer() (v uint64, negative bool) {
	rest := r.data[r.off:]
	if len(rest) < headerSize(rest) || len(rest) == 0 {
		r.failWant("int")
		return 0, false
	}
	size, n := 1, int64(0)
	switch c := rest[0]; {
	case c <= posFixintMax:
		n = int64(c)
	case c >= negFixintMin:
		n = int64(int8(c))
	case c == nilCode:
	case c == uint8Code:
		size, n = 2, int64(rest[1])
	case c == uint16Code:
		size, n = 3, int64(binary.BigEndian.Uint16(rest[1:]))
	case c == uint32Code:
		size, n = 5, int64(binary.BigEndian.Uint32(rest[1:]))
	case c == uint64Code:
		r.off += 9
		return binary.BigEndian.Uint64(rest[1:]), false
	case c == int8Code:
		size, n = 2, int64(int8(rest[1]))
	case c == int16Code:
		size, n = 3, int64(int16(binary.BigEndian.Uint16(rest[1:])))
	case c == int32Code:
		size, n = 5, int64(int32(binary.BigEndian.Uint32(rest[1:])))
	case c == int64Code:
		size, n = 9, int64(binary.BigEndian.Uint64(rest[1:]))
	default:
		r.failWant("int")
		return 0, false
	}
	r.off += size
	return uint64(n), n < 0
}

// Float64 reads a float32, a float64, or an int or uint of any width; beyond 2⁵³
// an int may be rounded.
func (r *Reader) Float64() float64 {
	rest := r.data[r.off:]
	if len(rest) >= 9 && rest[0] == float64Code {
		r.off += 9
		return math.Float64frombits(binary.BigEndian.Uint64(rest[1:]))
	}
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
	double := off < len(r.data) && r.data[off] == float64Code
	v := r.Float64()
	if double && !math.IsNaN(v) && float64(float32(v)) != v {
		r.failRange(off, "float32")
		return 0
	}
	return float32(v)
}
