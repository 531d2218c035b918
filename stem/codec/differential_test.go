package codec_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem/codec"
)

func TestGeneratedCodeWritesWhatTheOracleWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := orders().Draw(rt, "order")
		got, err := orderCodec.Append(nil, &v)
		if err != nil {
			rt.Fatal(err)
		}
		if want := oracle(t, &v); !bytes.Equal(got, want) {
			rt.Fatalf("got %x, want %x", got, want)
		}
	})
}

func TestGeneratedCodeReadsWhatItWrote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := orders().Draw(rt, "order")
		data := oracle(t, &v)
		var got Order
		if err := orderCodec.Decode(data, &got); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(got, v); diff != "" {
			rt.Fatalf("got -, want +:\n%s", diff)
		}
	})
}

func TestTheOracleReadsWhatGeneratedCodeWrote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := orders().Draw(rt, "order")
		data, err := orderCodec.Append(nil, &v)
		if err != nil {
			rt.Fatal(err)
		}
		var got Order
		if err := msgpack.Unmarshal(data, &got); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(got, v); diff != "" {
			rt.Fatalf("got -, want +:\n%s", diff)
		}
	})
}

func TestAnIntOfAnyWidthIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := ints().Draw(rt, "int")
		wide := appendWide(rt, v)
		r := codec.NewReader(wide)
		if got := r.Int64(); got != v || r.Finish() != nil {
			rt.Fatalf("%x: got %d, %v, want %d", wide, got, r.Err(), v)
		}
		var peer int64
		if err := msgpack.Unmarshal(wide, &peer); err != nil || peer != v {
			rt.Fatalf("%x: the oracle has %d, %v, want %d", wide, peer, err, v)
		}
	})
}

// appendWide gives v in one of the encodings that can hold it, not just the shortest.
func appendWide(t *rapid.T, v int64) []byte {
	fits := [][]byte{be(0xd3, uint64(v), 8)}
	for _, form := range []struct {
		code     byte
		size     int
		min, max int64
	}{
		{0xd0, 1, math.MinInt8, math.MaxInt8},
		{0xd1, 2, math.MinInt16, math.MaxInt16},
		{0xd2, 4, math.MinInt32, math.MaxInt32},
		{0xcc, 1, 0, math.MaxUint8},
		{0xcd, 2, 0, math.MaxUint16},
		{0xce, 4, 0, math.MaxUint32},
		{0xcf, 8, 0, math.MaxInt64},
	} {
		if form.min <= v && v <= form.max {
			fits = append(fits, be(form.code, uint64(v), form.size))
		}
	}
	return rapid.SampledFrom(fits).Draw(t, "encoding")
}

// be is code and the last size bytes of v, the highest first.
func be(code byte, v uint64, size int) []byte {
	b := []byte{code}
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}
