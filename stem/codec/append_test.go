package codec_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

func TestWritersWriteWhatTheOracleWrites(t *testing.T) {
	check := func(name string, got []byte, v any) {
		t.Helper()
		if want := oracle(t, v); !bytes.Equal(got, want) {
			t.Errorf("%s: got %.40x, want %.40x", name, got, want)
		}
	}

	check("nil", codec.AppendNil(nil), nil)
	check("true", codec.AppendBool(nil, true), true)
	check("false", codec.AppendBool(nil, false), false)

	borders := []int64{0, 32, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, math.MaxInt64}
	for _, border := range borders {
		for _, v := range []int64{border - 1, border, border + 1, -border - 1, -border, -border + 1} {
			check("int", codec.AppendInt(nil, v), v)
			check("uint", codec.AppendUint(nil, uint64(v)), uint64(v))
			check("duration", codec.AppendDuration(nil, time.Duration(v)), time.Duration(v))
		}
	}

	for _, v := range []float64{0, math.Copysign(0, -1), 1, 3.75, math.MaxFloat64, math.Inf(-1), math.NaN()} {
		check("float64", codec.AppendFloat64(nil, v), v)
		check("float32", codec.AppendFloat32(nil, float32(v)), float32(v))
	}

	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536} {
		text := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
		check("string", codec.AppendString(nil, text), text)
		check("bytes", codec.AppendBytes(nil, []byte(text)), []byte(text))
		check("array", append(codec.AppendArrayLen(nil, n), make([]byte, n)...), make([]int, n))
		ext := extension(text)
		check("ext", codec.AppendExt(nil, extensionID, []byte(text)), &ext)
	}
	check("nil bytes", codec.AppendBytes(nil, nil), []byte(nil))
	for _, n := range []int{0, 1, 15, 16, 65_535, 65_536} {
		m := make(map[int]bool, n)
		for i := range n {
			m[i] = false
		}
		head := codec.AppendMapLen(nil, n)
		check("map", head, msgpack.RawMessage(oracle(t, m)[:len(head)]))
	}

	for _, sec := range []int64{0, 1, 1<<32 - 1, 1 << 32, 1<<34 - 1, 1 << 34, -1, -62_135_596_800} {
		for _, nsec := range []int64{0, 1, 999_999_999} {
			v := time.Unix(sec, nsec)
			check("time", codec.AppendTime(nil, v), v)
		}
	}
	check("zero time", codec.AppendTime(nil, time.Time{}), time.Time{})
}

func TestWritersAppend(t *testing.T) {
	got := codec.AppendString(codec.AppendInt([]byte("kept"), 1), "x")
	if want := "kept\x01\xa1x"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// extension is a type that the oracle carries as an extension value.
type extension []byte

const extensionID = 7

func (e *extension) MarshalMsgpack() ([]byte, error)    { return *e, nil }
func (e *extension) UnmarshalMsgpack(data []byte) error { *e = bytes.Clone(data); return nil }

func TestMain(m *testing.M) {
	msgpack.RegisterExt(extensionID, (*extension)(nil))
	m.Run()
}

func TestEntriesComeSortedHoweverMany(t *testing.T) {
	for _, n := range []int{0, 1, 2, 12, 13, 1000} {
		m := make(map[int]string, n)
		for i := range n {
			m[(i*7919)%n] = "v"
		}
		entries := codec.SortedEntries(make([]codec.Entry[int, string], 0, 8), m)
		if len(entries) != n {
			t.Fatalf("got %d entries, want %d", len(entries), n)
		}
		for i, e := range entries {
			if e.Key != i || e.Value != "v" {
				t.Fatalf("of %d: got %v at %d, want key %d", n, e, i, i)
			}
		}
	}
}

func TestAFreshBufferIsMadeOnce(t *testing.T) {
	order := sampleOrder()
	visit := Visit{}
	buf := make([]byte, 0, 1024)
	for _, c := range []struct {
		name   string
		encode func()
		want   float64
	}{
		{"fresh", func() { orderCodec.Append(nil, &order) }, 1},
		{"reused", func() { orderCodec.Append(buf, &order) }, 0},
		{"fresh, with a marshaler", func() { visitCodec.Append(nil, &visit) }, 1},
	} {
		if got := testing.AllocsPerRun(100, c.encode); got != c.want {
			t.Errorf("%s: got %v allocations, want %v", c.name, got, c.want)
		}
	}
}
