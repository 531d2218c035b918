package codec

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	timeExt     = -1   // the id of the timestamp extension
	timeExtByte = 0xff // the same as a byte of the wire
)

// AppendTime appends the instant v, to the nanosecond, as a timestamp extension of
// 4, 8 or 12 bytes. Its time zone and its monotonic reading are not kept.
func AppendTime(b []byte, v time.Time) []byte {
	sec, nsec := uint64(v.Unix()), uint64(v.Nanosecond())
	switch {
	case sec>>34 != 0:
		b = binary.BigEndian.AppendUint32(append(b, ext8, 12, timeExtByte), uint32(nsec))
		return binary.BigEndian.AppendUint64(b, sec)
	case nsec == 0 && sec>>32 == 0:
		return binary.BigEndian.AppendUint32(append(b, fixext4, timeExtByte), uint32(sec))
	default:
		return binary.BigEndian.AppendUint64(append(b, fixext8, timeExtByte), nsec<<34|sec)
	}
}

// Time reads a timestamp extension. The time is in UTC.
func (r *Reader) Time() time.Time {
	off := r.off
	if r.Nil() {
		return time.Time{}
	}
	if r.Kind() != Ext {
		r.failWant("time")
		return time.Time{}
	}
	id, data := r.Ext()
	if r.Failed() {
		return time.Time{}
	}
	if id != timeExt {
		r.fail(off, errors.New("want time, have another ext"))
		return time.Time{}
	}
	var sec, nsec int64
	switch len(data) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(data))
	case 8:
		both := binary.BigEndian.Uint64(data)
		sec, nsec = int64(both&(1<<34-1)), int64(both>>34)
	case 12:
		nsec = int64(binary.BigEndian.Uint32(data))
		sec = int64(binary.BigEndian.Uint64(data[4:]))
	default:
		r.fail(off, errors.New("time of a size that is none of 4, 8 and 12 bytes"))
		return time.Time{}
	}
	if nsec >= 1e9 {
		r.fail(off, errors.New("time with more than 999999999 nanoseconds"))
		return time.Time{}
	}
	return time.Unix(sec, nsec).UTC()
}

// AppendDuration appends v as an int of nanoseconds.
func AppendDuration(b []byte, v time.Duration) []byte { return AppendInt(b, int64(v)) }

// Duration reads an int or uint of nanoseconds.
func (r *Reader) Duration() time.Duration { return time.Duration(r.Int64()) }
