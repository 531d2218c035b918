package codec

import (
	"encoding/binary"
	"math"
)

// AppendNil appends nil.
func AppendNil(b []byte) []byte { return append(b, nilCode) }

// AppendBool appends v.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, trueCode)
	}
	return append(b, falseCode)
}

// AppendInt appends v in the fewest bytes: 1, 2, 3, 5 or 9. A value that is not
// negative takes an unsigned form.
func AppendInt(b []byte, v int64) []byte {
	if uint64(v) <= posFixintMax {
		return append(b, byte(v))
	}
	return appendInt(b, v)
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, int8Code, byte(v))
	case v >= math.MinInt16:
		return append(b, int16Code, byte(v>>8), byte(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, int32Code), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, int64Code), uint64(v))
	}
}

// AppendUint appends v in the fewest bytes: 1, 2, 3, 5 or 9.
func AppendUint(b []byte, v uint64) []byte {
	if v <= posFixintMax {
		return append(b, byte(v))
	}
	return appendUint(b, v)
}

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= posFixintMax:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, uint8Code, byte(v))
	case v <= math.MaxUint16:
		return append(b, uint16Code, byte(v>>8), byte(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, uint32Code), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, uint64Code), v)
	}
}

// AppendFloat32 appends v in 5 bytes.
func AppendFloat32(b []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, float32Code), math.Float32bits(v))
}

// AppendFloat64 appends v in 9 bytes.
func AppendFloat64(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, float64Code), math.Float64bits(v))
}

// AppendString appends v as str. Whether it is valid UTF-8 is not looked at. It
// must be shorter than 4 GiB.
func AppendString(b []byte, v string) []byte {
	switch n := len(v); {
	case n < 32:
		b = append(b, fixstr|byte(n))
	case n <= math.MaxUint8:
		b = append(b, str8, byte(n))
	default:
		b = appendLen(b, str16, n)
	}
	return append(b, v...)
}

// AppendBytes appends v as bin, or nil where v is nil. It must be shorter than
// 4 GiB.
func AppendBytes(b []byte, v []byte) []byte {
	if v == nil {
		return append(b, nilCode)
	}
	return append(appendBinLen(b, len(v)), v...)
}

func appendBinLen(b []byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, bin8, byte(n))
	}
	return appendLen(b, bin16, n)
}

// AppendArrayLen begins an array: the caller appends n values next. n is between
// 0 and 1<<32-1.
func AppendArrayLen(b []byte, n int) []byte {
	if n < 16 {
		return append(b, fixarray|byte(n))
	}
	return appendLen(b, array16, n)
}

// AppendMapLen begins a map: the caller appends n keys next, each followed by its
// value. n is between 0 and 1<<32-1.
func AppendMapLen(b []byte, n int) []byte {
	if n < 16 {
		return append(b, fixmap|byte(n))
	}
	return appendLen(b, map16, n)
}

// AppendRaw appends a value that is encoded already, and lies at depth (see [ValidAt]).
// It refuses bytes that are not exactly one well-formed value.
func AppendRaw(b, raw []byte, depth int) ([]byte, error) {
	if err := ValidAt(raw, depth); err != nil {
		return b, err
	}
	return append(b, raw...), nil
}

// appendLen appends a length of 16 bits under code16 or, where it does not fit, of
// 32 bits under the code after it.
func appendLen(b []byte, code16 byte, n int) []byte {
	if n <= math.MaxUint16 {
		return append(b, code16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, code16+1), uint32(n))
}
