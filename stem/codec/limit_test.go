package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/gostem/gostem/stem/codec"
)

// allocated is the number of bytes that f allocates, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestALengthIsBelievedOnlyAsFarAsBytesAreLeft(t *testing.T) {
	for _, c := range []struct {
		promise string
		data    string
		want    string
	}{
		{"2³¹−1 elements in 11 bytes", "\x81\xa5Items\xdd\x7f\xff\xff\xff", "Items: array of 2147483647 elements with 0 bytes left at offset 7"},
		{"2³¹−1 entries", "\x81\xa6labels\xdf\x7f\xff\xff\xff", "labels: map of 2147483647 entries with 0 bytes left at offset 8"},
		{"2³¹−1 bytes", "\x81\xa9signature\xc6\x7f\xff\xff\xff", "signature: bin of 2147483647 bytes with 0 bytes left at offset 11"},
		{"2³¹−1 bytes of text", "\x81\xa2id\xdb\x7f\xff\xff\xff", "id: str of 2147483647 bytes with 0 bytes left at offset 4"},
		{"2³¹−1 bytes of an unknown ext", "\x81\xa1x\xc9\x7f\xff\xff\xff\x01", "x: ext of 2147483647 bytes with 0 bytes left at offset 3"},
		{"an entry takes two bytes", "\x81\xa6labels\x82\xa0\xa0\xa0", "labels: map of 2 entries with 3 bytes left at offset 8"},
	} {
		var err error
		got := allocated(func() {
			var v Order
			err = orderCodec.Decode([]byte(c.data), &v)
		})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.promise, err, c.want)
		}
		if got > 64<<10 {
			t.Errorf("%s: allocated %d bytes, want at most 64 kB", c.promise, got)
		}
	}
}

func TestElementsAreMadeAsTheyCome(t *testing.T) {
	// A megabyte is left for the million elements, but it is one long string.
	data := append([]byte("\x81\xa5Items\xdd\x00\x10\x00\x00\xdb\x00\x0f\xff\xff"), make([]byte, 1<<20)...)
	var err error
	got := allocated(func() {
		var v Order
		err = orderCodec.Decode(data, &v)
	})
	if want := "Items[0]: want map, have str at offset 12"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got > 64<<10 {
		t.Errorf("allocated %d bytes, want at most 64 kB", got)
	}
}

func TestBytesThatOneArrayClaimsAreNotClaimedAgainWithinIt(t *testing.T) {
	// Each level sends enough elements to be believed, then another level. All of them
	// announce as many as bytes are left in the whole message.
	const size = 256 << 10
	var data []byte
	level := append([]byte("\x81\xa8children\xdd\x00\x03\x80\x00"), bytes.Repeat([]byte{0xc0}, 110)...)
	for range codec.MaxDepth / 2 {
		data = append(data, level...)
	}
	data = append(data, make([]byte, size-len(data))...)
	var err error
	got := allocated(func() {
		var v Tree
		err = treeCodec.Decode(data, &v)
	})
	if want := "array of 229376 elements, more than the message has bytes for"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if most := uint64((64+unsafe.Sizeof(Tree{}))*size + 64<<10); got > most {
		t.Errorf("allocated %d bytes, want at most %d", got, most)
	}
}

func TestManyElementsComeBack(t *testing.T) {
	want := Order{Items: make([]Item, 10_000), Labels: map[string]string{}}
	for i := range want.Items {
		want.Items[i].PriceCents = int64(i)
		want.Labels[strings.Repeat("k", i%300)+string(rune(i))] = "v"
	}
	data, err := orderCodec.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	var got Order
	if err := orderCodec.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != len(want.Items) || got.Items[9_999] != want.Items[9_999] || len(got.Labels) != len(want.Labels) {
		t.Errorf("got %d items and %d labels, want %d and %d", len(got.Items), len(got.Labels), len(want.Items), len(want.Labels))
	}
}

func TestArraysWithinEachOtherDoNotClaimTheSameBytes(t *testing.T) {
	// Each array says that all bytes behind its header are its elements.
	data := bytes.Repeat([]byte{0xc0}, 100_000)
	for off := 0; off < 1000; off += 100 {
		n := len(data) - off - 5
		copy(data[off:], []byte{0xdd, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	want := "array of 99895 elements, more than the message has bytes for at offset 100"
	if err := codec.Valid(data); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	small := []byte{0x93, 0x92, 0x92, 0xc0}
	want = "array of 2 elements, more than the message has bytes for at offset 1"
	if err := codec.Valid(small); err == nil || err.Error() != want {
		t.Errorf("short arrays: got %v, want %s", err, want)
	}
}

func TestAnEncodedValueCountsFromWhereItLies(t *testing.T) {
	nested := append(bytes.Repeat([]byte{0x91}, 9), 0x90) // ten levels
	for _, c := range []struct {
		promise string
		raw     []byte
		depth   int
		want    string
	}{
		{"as deep as any may be", nested, codec.MaxDepth - 9, "<nil>"},
		{"one level more", nested, codec.MaxDepth - 8, "nested deeper than 64 levels at offset 9"},
		{"a scalar lies anywhere", []byte{1}, codec.MaxDepth + 1, "<nil>"},
		{"nothing is no value", nil, 1, "want value, have end of input at offset 0"},
		{"nor are two", []byte{1, 2}, 1, "trailing bytes at offset 1"},
	} {
		got, err := codec.AppendRaw([]byte("b"), c.raw, c.depth)
		if fmt.Sprint(err) != c.want {
			t.Errorf("%s: got %v, want %s", c.promise, err, c.want)
		}
		if err == nil && string(got) != "b"+string(c.raw) {
			t.Errorf("%s: got %q", c.promise, got)
		}
	}
}

func TestNestingEndsAtMaxDepth(t *testing.T) {
	nested := func(depth int) []byte {
		return append(bytes.Repeat([]byte{0x91}, depth-1), 0x90)
	}
	if err := codec.Valid(nested(codec.MaxDepth)); err != nil {
		t.Errorf("%d levels: %v", codec.MaxDepth, err)
	}
	for _, depth := range []int{codec.MaxDepth + 1, 8 << 20} {
		if err := codec.Valid(nested(depth)); !errors.Is(err, codec.ErrTooDeep) {
			t.Errorf("%d levels: got %v, want %v", depth, err, codec.ErrTooDeep)
		}
	}
	unknown := append([]byte("\x81\xa1x"), nested(codec.MaxDepth)...)
	var v Order
	if err := orderCodec.Decode(unknown, &v); !errors.Is(err, codec.ErrTooDeep) {
		t.Errorf("an unknown field one level too deep: got %v, want %v", err, codec.ErrTooDeep)
	}
}

func TestSkippingDoesNotAllocate(t *testing.T) {
	order := sampleOrder()
	data := oracle(t, &order)
	if got := testing.AllocsPerRun(100, func() {
		r := codec.NewReader(data)
		if r.Skip(); r.Finish() != nil {
			t.Fatal(r.Err())
		}
	}); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func TestARecursiveValueIsAsDeepAsItCanBeRead(t *testing.T) {
	chain := func(levels int) *Tree {
		root := &Tree{}
		for range levels - 1 {
			root = &Tree{Children: []Tree{*root}}
		}
		return root
	}
	// Each level is a map and an array.
	deepest := chain(codec.MaxDepth / 2)
	data, err := treeCodec.Append(nil, deepest)
	if err != nil {
		t.Fatal(err)
	}
	var got Tree
	if err := treeCodec.Decode(data, &got); err != nil {
		t.Error(err)
	}
	if _, err := treeCodec.Append(nil, chain(codec.MaxDepth/2+2)); !errors.Is(err, codec.ErrTooDeep) {
		t.Errorf("too deep: got %v, want %v", err, codec.ErrTooDeep)
	}
	endless := Tree{Children: make([]Tree, 1)}
	endless.Children[0].Children = endless.Children
	if _, err := treeCodec.Append(nil, &endless); !errors.Is(err, codec.ErrTooDeep) {
		t.Errorf("without an end: got %v, want %v", err, codec.ErrTooDeep)
	}
}

func TestCapacitiesOnTheWordOfALength(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"few elements", codec.Cap[Item](3), 3},
		{"many elements of 8 bytes", codec.Cap[int64](1 << 20), 512},
		{"many elements of no size", codec.Cap[struct{}](1 << 20), 4096},
		{"many elements of 8 kB", codec.Cap[[8 << 10]byte](1 << 20), 1},
		{"no elements of 8 kB", codec.Cap[[8 << 10]byte](0), 0},
		{"many entries of 32 bytes", codec.MapCap[[16]byte, [16]byte](1 << 20), 128},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.what, c.got, c.want)
		}
	}
}
