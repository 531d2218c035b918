package codec

import (
	"encoding/binary"
	"math"
)

// AppendExt appends an extension value. Ids from 0 are an application's own; −1 is a
// time (see [AppendTime]), and MessagePack keeps the others below 0 to itself. data
// must be shorter than 4 GiB.
func AppendExt(b []byte, id int8, data []byte) []byte {
	switch n := len(data); {
	case n == 1:
		b = append(b, fixext1)
	case n == 2:
		b = append(b, fixext2)
	case n == 4:
		b = append(b, fixext4)
	case n == 8:
		b = append(b, fixext8)
	case n == 16:
		b = append(b, fixext16)
	case n <= math.MaxUint8:
		b = append(b, ext8, byte(n))
	default:
		b = appendLen(b, ext16, n)
	}
	return append(append(b, byte(id)), data...)
}

// Ext reads an extension value: its id, and its data as a view of the input, good for
// as long as the input is left unchanged. The data is nil after a failure only: a nil
// is not read as an extension value.
func (r *Reader) Ext() (id int8, data []byte) {
	rest := r.data[r.off:]
	n, size := 0, 0 // the size is without the id
	if len(rest) > 0 {
		switch c := rest[0]; {
		case c >= fixext1 && c <= fixext16:
			n, size = 1<<(c-fixext1), 1
		case c == ext8 && len(rest) >= 2:
			n, size = int(rest[1]), 2
		case c == ext16 && len(rest) >= 3:
			n, size = int(binary.BigEndian.Uint16(rest[1:])), 3
		case c == ext32 && len(rest) >= 5:
			n, size = length32(rest[1:]), 5
		}
	}
	switch {
	case size == 0:
		r.failWant(Ext.String())
		return 0, nil
	case n > len(rest)-size-1:
		r.failShort(n, "bytes", len(rest)-size-1)
		return 0, nil
	}
	id, data = int8(rest[size]), rest[size+1:size+1+n:size+1+n]
	r.off += size + 1 + n
	return id, data
}
