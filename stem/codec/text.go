package codec

import "encoding/binary"

// Str reads a str, or a bin, as a string.
func (r *Reader) Str() string { return string(r.View()) }

// Key reads the key of a map's entry: a str, or a bin. It is a view of the input,
// good for as long as the input is left unchanged.
func (r *Reader) Key() []byte { return r.View() }

// View reads a str or a bin without copying: the slice is a view of the input, good
// for as long as the input is left unchanged. It is nil for a nil and after a
// failure.
func (r *Reader) View() []byte {
	if rest := r.data[r.off:]; len(rest) > 0 {
		if n := int(rest[0] ^ fixstr); n < 32 && n < len(rest) {
			r.off += 1 + n
			return rest[1 : 1+n : 1+n]
		}
	}
	return r.view(Str)
}

// view is View for every form; want is for the error.
func (r *Reader) view(want Kind) []byte {
	rest := r.data[r.off:]
	n, size := 0, 0
	if len(rest) > 0 {
		switch c := rest[0]; {
		case c == nilCode:
			r.off++
			return nil
		case c&0xe0 == fixstr:
			n, size = int(c&0x1f), 1
		case (c == str8 || c == bin8) && len(rest) >= 2:
			n, size = int(rest[1]), 2
		case (c == str16 || c == bin16) && len(rest) >= 3:
			n, size = int(binary.BigEndian.Uint16(rest[1:])), 3
		case (c == str32 || c == bin32) && len(rest) >= 5:
			n, size = length32(rest[1:]), 5
		}
	}
	switch {
	case size == 0:
		r.failWant(want.String())
		return nil
	case n > len(rest)-size:
		r.failShort(n, "bytes", len(rest)-size)
		return nil
	}
	r.off += size + n
	return rest[size : size+n : size+n]
}

// Bytes reads a bin, or a str, into a slice of its own. It is nil for a nil.
func (r *Reader) Bytes() []byte {
	view := r.view(Bin)
	if view == nil {
		return nil
	}
	return append(make([]byte, 0, len(view)), view...)
}

// BytesInto reads a bin, or a str, into dst, which is a Go array as a slice. More
// bytes than that are a failure; where there are fewer, the rest of dst becomes
// zero.
func (r *Reader) BytesInto(dst []byte) {
	off := r.off
	view := r.view(Bin)
	if len(view) > len(dst) {
		r.fail(off, errTooManyBytes)
		return
	}
	clear(dst[copy(dst, view):])
}
