package codec_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// show reads one value with read and gives it, or the error, as text.
func show[T any](read func(*codec.Reader) T) func([]byte) string {
	return func(data []byte) string {
		r := codec.NewReader(data)
		v := read(&r)
		if err := r.Finish(); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%#v", v)
	}
}

func TestScalars(t *testing.T) {
	var (
		readBool    = show((*codec.Reader).Bool)
		readInt     = show((*codec.Reader).Int)
		readInt8    = show((*codec.Reader).Int8)
		readInt16   = show((*codec.Reader).Int16)
		readInt32   = show((*codec.Reader).Int32)
		readInt64   = show((*codec.Reader).Int64)
		readUint    = show((*codec.Reader).Uint)
		readUint8   = show((*codec.Reader).Uint8)
		readUint16  = show((*codec.Reader).Uint16)
		readUint32  = show((*codec.Reader).Uint32)
		readUint64  = show((*codec.Reader).Uint64)
		readFloat32 = show((*codec.Reader).Float32)
		readFloat64 = show((*codec.Reader).Float64)
		readStr     = show((*codec.Reader).Str)
		readBytes   = show((*codec.Reader).Bytes)
		readView    = show((*codec.Reader).View)
		readTime    = show(func(r *codec.Reader) string { return r.Time().Format(time.RFC3339Nano) })
		readWait    = show((*codec.Reader).Duration)
	)
	for _, c := range []struct {
		promise string
		read    func([]byte) string
		data    string
		want    string
	}{
		{"true", readBool, "\xc3", "true"},
		{"false", readBool, "\xc2", "false"},
		{"nil is false", readBool, "\xc0", "false"},
		{"an int is no bool", readBool, "\x01", "want bool, have int at offset 0"},

		{"positive fixint", readInt64, "\x7f", "127"},
		{"negative fixint", readInt64, "\xe0", "-32"},
		{"int8", readInt64, "\xd0\x80", "-128"},
		{"int16", readInt64, "\xd1\x80\x00", "-32768"},
		{"int32", readInt64, "\xd2\x80\x00\x00\x00", "-2147483648"},
		{"int64", readInt64, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"},
		{"uint8", readInt64, "\xcc\xff", "255"},
		{"uint16", readInt64, "\xcd\xff\xff", "65535"},
		{"uint32", readInt64, "\xce\xff\xff\xff\xff", "4294967295"},
		{"uint64 that fits", readInt64, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"},
		{"uint64 that does not", readInt64, "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "want int64, have int out of range at offset 0"},
		{"nil is 0", readInt64, "\xc0", "0"},
		{"a float is no int", readInt64, "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", "want int, have float at offset 0"},
		{"an int cut short", readInt64, "\xd2\x80\x00\x00", "want int, have int cut short at offset 0"},
		{"nothing", readInt64, "", "want int, have end of input at offset 0"},
		{"the byte that begins no value", readInt64, "\xc1", "want int, have invalid byte at offset 0"},
		{"bytes left over", readInt64, "\x01\x02", "trailing bytes at offset 1"},

		{"int8 at its least", readInt8, "\xd0\x80", "-128"},
		{"int8 below", readInt8, "\xd1\xff\x7f", "want int8, have int out of range at offset 0"},
		{"int8 above", readInt8, "\xcc\x80", "want int8, have int out of range at offset 0"},
		{"int16 below", readInt16, "\xd2\xff\xff\x7f\xff", "want int16, have int out of range at offset 0"},
		{"int32 above", readInt32, "\xce\x80\x00\x00\x00", "want int32, have int out of range at offset 0"},
		{"int from any width", readInt, "\xd3\x00\x00\x00\x00\x00\x00\x00\x07", "7"},
		{"uint from a signed width", readUint, "\xd3\x00\x00\x00\x00\x00\x00\x00\x07", "0x7"},
		{"uint of all bits", readUint64, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "0xffffffffffffffff"},
		{"uint below 0", readUint64, "\xff", "want uint64, have int out of range at offset 0"},
		{"uint8 above", readUint8, "\xcd\x01\x00", "want uint8, have int out of range at offset 0"},
		{"uint16 above", readUint16, "\xce\x00\x01\x00\x00", "want uint16, have int out of range at offset 0"},
		{"uint32 above", readUint32, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", "want uint32, have int out of range at offset 0"},

		{"float64", readFloat64, "\xcb\x40\x0e\x00\x00\x00\x00\x00\x00", "3.75"},
		{"float64 from a float32", readFloat64, "\xca\x40\x70\x00\x00", "3.75"},
		{"float64 from an int", readFloat64, "\xfe", "-2"},
		{"float64 from a large uint", readFloat64, "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "9.223372036854776e+18"},
		{"nil is 0.0", readFloat64, "\xc0", "0"},
		{"a str is no float", readFloat64, "\xa11", "want float, have str at offset 0"},
		{"a float cut short", readFloat64, "\xcb\x40", "want float, have float cut short at offset 0"},
		{"float32", readFloat32, "\xca\x40\x70\x00\x00", "3.75"},
		{"float32 from a float64 that it can hold", readFloat32, "\xcb\x40\x0e\x00\x00\x00\x00\x00\x00", "3.75"},
		{"float32 from NaN", readFloat32, "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01", "NaN"},
		{"float32 from a float64 that it cannot", readFloat32, "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "want float32, have float out of range at offset 0"},

		{"fixstr", readStr, "\xa2hi", `"hi"`},
		{"str8", readStr, "\xd9\x02hi", `"hi"`},
		{"str16", readStr, "\xda\x00\x02hi", `"hi"`},
		{"str32", readStr, "\xdb\x00\x00\x00\x02hi", `"hi"`},
		{"a bin is a string", readStr, "\xc4\x02hi", `"hi"`},
		{"nil is the empty string", readStr, "\xc0", `""`},
		{"an int is no string", readStr, "\x01", "want str, have int at offset 0"},
		{"a str cut short", readStr, "\xa3hi", "str of 3 bytes with 2 bytes left at offset 0"},
		{"a str's length cut short", readStr, "\xda\x00", "want str, have str cut short at offset 0"},

		{"bin8", readBytes, "\xc4\x02hi", "[]byte{0x68, 0x69}"},
		{"bin16", readBytes, "\xc5\x00\x02hi", "[]byte{0x68, 0x69}"},
		{"bin32", readBytes, "\xc6\x00\x00\x00\x02hi", "[]byte{0x68, 0x69}"},
		{"a str is bytes", readBytes, "\xa2hi", "[]byte{0x68, 0x69}"},
		{"empty bytes are not nil", readBytes, "\xc4\x00", "[]byte{}"},
		{"nil bytes", readBytes, "\xc0", "[]byte(nil)"},
		{"a float is no bytes", readBytes, "\xca\x00\x00\x00\x00", "want bin, have float at offset 0"},
		{"an empty view is not nil", readView, "\xa0", "[]byte{}"},

		{"time of 4 bytes", readTime, "\xd6\xff\x00\x00\x00\x01", `"1970-01-01T00:00:01Z"`},
		{"time of 8 bytes", readTime, "\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01", `"1970-01-01T00:00:01.000000001Z"`},
		{"time of 12 bytes", readTime, "\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff", `"1969-12-31T23:59:59.000000001Z"`},
		{"nil is the zero time", readTime, "\xc0", `"0001-01-01T00:00:00Z"`},
		{"a str is no time", readTime, "\xa0", "want time, have str at offset 0"},
		{"another ext is no time", readTime, "\xd6\x05\x00\x00\x00\x01", "want time, have another ext at offset 0"},
		{"a time of another size", readTime, "\xd5\xff\x00\x01", "time of a size that is none of 4, 8 and 12 bytes at offset 0"},
		{"a time with too many nanoseconds", readTime, "\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x01", "time with more than 999999999 nanoseconds at offset 0"},
		{"a time cut short", readTime, "\xd7\xff\x00", "ext of 8 bytes with 1 bytes left at offset 0"},
		{"an ext's length cut short", readTime, "\xc9\x00\x00", "want ext, have ext cut short at offset 0"},
		{"duration", readWait, "\xce\x3b\x9a\xca\x00", "1000000000"},
	} {
		if got := c.read([]byte(c.data)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.promise, got, c.want)
		}
	}
}

func TestTheZeroTimeComesBackAsTheZeroTime(t *testing.T) {
	r := codec.NewReader(codec.AppendTime(nil, time.Time{}))
	if got := r.Time(); got != (time.Time{}) {
		t.Errorf("got %#v, want the zero value itself", got)
	}
}

func TestArraysOfFixedLength(t *testing.T) {
	for _, c := range []struct {
		promise string
		data    []byte
		want    string
	}{
		{"all bytes", []byte("\xc4\x03abc"), "abc"},
		{"fewer leave zeros", []byte("\xc4\x01a"), "a\x00\x00"},
		{"nil leaves zeros", []byte("\xc0"), "\x00\x00\x00"},
		{"more are refused", []byte("\xc4\x04abcd"), "more bytes than the Go array holds at offset 0"},
	} {
		got := [3]byte{'x', 'x', 'x'}
		r := codec.NewReader(c.data)
		r.BytesInto(got[:])
		text := string(got[:])
		if err := r.Finish(); err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s: got %q, want %q", c.promise, text, c.want)
		}
	}

	r := codec.NewReader([]byte("\x93\x01\x02\x03"))
	if n := r.EnterFixedArray(2); n != 0 || r.Err().Error() != "more elements than the Go array holds at offset 0" {
		t.Errorf("a third element: got %d, %v, want a failure", n, r.Err())
	}
	r.Reset([]byte("\x92\x01\x02"))
	if n := r.EnterFixedArray(2); n != 2 || r.Failed() {
		t.Errorf("two elements: got %d, %v, want 2", n, r.Err())
	}
}

func TestContainersOfEveryForm(t *testing.T) {
	for _, c := range []struct {
		promise string
		head    []byte
		array   bool
		want    int
	}{
		{"nil as an array", []byte("\xc0"), true, 0},
		{"fixarray", []byte("\x9f"), true, 15},
		{"array16", []byte("\xdc\x00\x10"), true, 16},
		{"array32", []byte("\xdd\x00\x00\x00\x01"), true, 1},
		{"nil as a map", []byte("\xc0"), false, 0},
		{"fixmap", []byte("\x8f"), false, 15},
		{"map16", []byte("\xde\x00\x10"), false, 16},
		{"map32", []byte("\xdf\x00\x00\x00\x01"), false, 1},
	} {
		enter, values := (*codec.Reader).EnterArray, c.want
		if !c.array {
			enter, values = (*codec.Reader).EnterMap, 2*c.want
		}
		r := codec.NewReader(append(c.head, make([]byte, values)...))
		if got := enter(&r); got != c.want {
			t.Errorf("%s: got %d, want %d", c.promise, got, c.want)
		}
		for range values {
			r.Int()
		}
		r.Leave()
		if err := r.Finish(); err != nil {
			t.Errorf("%s: %v", c.promise, err)
		}
		if values > 0 {
			short := codec.NewReader(append(c.head, make([]byte, values-1)...))
			if got := enter(&short); got != 0 || !short.Failed() {
				t.Errorf("%s with a byte too few: got %d, want a failure", c.promise, got)
			}
		}
	}
}

func TestKindTellsWhatComesNext(t *testing.T) {
	for data, want := range map[string]codec.Kind{
		"": codec.End, "\xc1": codec.Invalid, "\xc0": codec.Nil, "\xc2": codec.Bool, "\xff": codec.Int, "\xcf": codec.Int,
		"\xca": codec.Float, "\xbf": codec.Str, "\xd9": codec.Str, "\xc4": codec.Bin, "\x9f": codec.Array, "\xdc": codec.Array,
		"\x8f": codec.Map, "\xde": codec.Map, "\xd4": codec.Ext, "\xc7": codec.Ext,
	} {
		r := codec.NewReader([]byte(data))
		if got := r.Kind(); got != want {
			t.Errorf("%x: got %v, want %v", data, got, want)
		}
	}
}

func TestTheFirstFailureStays(t *testing.T) {
	r := codec.NewReader([]byte("\x01\x02\x03"))
	if r.Bool(); !r.Failed() {
		t.Fatal("an int was read as a bool")
	}
	first := r.Err()
	if r.Int() != 0 || r.Str() != "" || r.View() != nil || r.Nil() || r.EnterMap() != 0 || r.Float64() != 0 || r.RawView() != nil {
		t.Error("a read after the failure gave more than a zero value")
	}
	r.Fail(fmt.Errorf("another"))
	if r.Err() != first || r.Finish() != first {
		t.Errorf("got %v, want %v", r.Finish(), first)
	}
}

func TestExtensionValues(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65_536} {
		r := codec.NewReader(codec.AppendExt(nil, math.MinInt8, make([]byte, n)))
		if id, data := r.Ext(); id != math.MinInt8 || data == nil || len(data) != n || r.Finish() != nil {
			t.Errorf("%d bytes: got id %d and %d bytes, %v", n, id, len(data), r.Finish())
		}
	}
}
