package codec

import (
	"encoding/binary"
	"errors"
	"time"
)

// timeExt is the id of the timestamp extension.
const timeExt = -1

// AppendTime appends the instant v, to the nanosecond, as a timestamp extension of
// 4, 8 or 12 bytes. Its time zone and its monotonic reading are not kept.
func AppendTime(b []byte, v time.Time) []byte {
	const id = 0xff // timeExt as a byte
	sec, nsec := uint64(v.Unix()), uint64(v.Nanosecond())
	switch {
	case sec>>34 != 0:
		b = append(b, ext8, 12, id)
		b = binary.BigEndian.AppendUint32(b, uint32(nsec))
		return binary.BigEndian.AppendUint64(b, sec)
	case nsec == 0 && sec>>32 == 0:
		return binary.BigEndian.AppendUint32(append(b, fixext4, id), uint32(sec))
	default:
		return binary.BigEndian.AppendUint64(append(b, fixext8, id), nsec<<34|sec)
	}
}

// AppendDuration appends v as an int of nanoseconds.
func AppendDuration(b []byte, v time.Duration) []byte { return AppendInt(b, int64(v)) }

// Time reads a timestamp extension. The time is in UTC.
func (r *Reader) Time() time.Time {
	if r.Nil() {
		return time.Time{}
	}
	off := r.off
	if r.Kind() != Ext {
		r.failWant("time")
		return time.Time{}
	}
	id, data := r.Ext()
	if data == nil {
		return time.Time{}
	}
	var sec, nsec int64
	switch {
	case id == timeExt && len(data) == 4:
		sec = int64(binary.BigEndian.Uint32(data))
	case id == timeExt && len(data) == 8:
		both := binary.BigEndian.Uint64(data)
		sec, nsec = int64(both&(1<<34-1)), int64(both>>34)
	case id == timeExt && len(data) == 12:
		nsec = int64(binary.BigEndian.Uint32(data))
		sec = int64(binary.BigEndian.Uint64(data[4:]))
	default:
		r.fail(off, errors.New("want time, have another ext"))
		return time.Time{}
	}
	if nsec >= 1e9 {
		r.fail(off, errors.New("time with a full second of nanoseconds"))
		return time.Time{}
	}
	return time.Unix(sec, nsec).UTC()
}

// Duration reads an int or uint of nanoseconds.
func (r *Reader) Duration() time.Duration { return time.Duration(r.Int64()) }

// Ext reads an extension value: its id and a view of its data, good for as long as
// the input is left unchanged. The data is nil after a failure only.
func (r *Reader) Ext() (id int8, data []byte) {
	n, size := 0, 0
	if rest := r.data[r.off:]; len(rest) > 0 {
		switch c := rest[0]; {
		case c >= fixext1 && c <= fixext16:
			n, size = 1<<(c-fixext1), 1
		case c == ext8 && len(rest) >= 2:
			n, size = int(rest[1]), 2
		case c == ext16 && len(rest) >= 3:
			n, size = int(binary.BigEndian.Uint16(rest[1:])), 3
		case c == ext32 && len(rest) >= 5:
			n, size = int(binary.BigEndian.Uint32(rest[1:])), 5
		}
	}
	if size == 0 {
		r.failWant("ext")
		return 0, nil
	}
	from := r.off + size + 1
	if n > len(r.data)-from {
		r.failShort(n, "bytes")
		return 0, nil
	}
	id = int8(r.data[from-1])
	r.off = from + n
	return id, r.data[from:r.off:r.off]
}
