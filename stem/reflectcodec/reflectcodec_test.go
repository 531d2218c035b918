package reflectcodec_test

import (
	"bytes"
	"encoding"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// roundTrip gives what comes back of v.
func roundTrip[T any](t *testing.T, v T) T {
	t.Helper()
	c := reflectcodec.Of[T]()
	data, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	var got T
	if err := c.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestValuesComeBack(t *testing.T) {
	if got := roundTrip(t, "text"); got != "text" {
		t.Errorf("string: got %q", got)
	}
	if got := roundTrip(t, -5); got != -5 {
		t.Errorf("int: got %d", got)
	}
	if got := roundTrip(t, struct{}{}); got != struct{}{} {
		t.Errorf("empty struct: got %v", got)
	}
	now := time.Now()
	if got := roundTrip(t, now); !got.Equal(now) {
		t.Errorf("time: got %v, want %v", got, now)
	}
	addr := netip.MustParseAddr("10.0.0.1")
	if got := roundTrip(t, map[string]netip.Addr{"a": addr}); got["a"] != addr {
		t.Errorf("map of a type with a marshaler: got %v", got)
	}
	if got := roundTrip[*int](t, nil); got != nil {
		t.Errorf("nil pointer: got %v", *got)
	}
	if got := roundTrip[any](t, map[string]any{"k": []any{"v", nil}}); len(got.(map[string]any)["k"].([]any)) != 2 {
		t.Errorf("any: got %v", got)
	}
	if got := roundTrip(t, struct{ Err error }{errors.New("broken")}); got.Err.Error() != "broken" {
		t.Errorf("error: got %v", got.Err)
	}
}

type (
	selfPointer  *selfPointer
	selfEmbedder struct{ *selfEmbedder }
	listNode     struct {
		Name string
		Next *listNode
	}
	listSlice []listSlice
	hidden    struct {
		Name string
		done chan int
		Skip func() `msgpack:"-"`
	}
)

func TestATypeThatCannotBeCarriedIsAnErrorThatNamesTheField(t *testing.T) {
	type deep struct {
		Parts []map[string]*struct{ Done chan int }
	}
	const noSuch = " cannot be a task's argument or result: "
	for _, c := range []struct {
		use  func(t *testing.T) (write, read error)
		want string
	}{
		{use[deep], "reflectcodec_test.deep" + noSuch + "reflectcodec_test.deep.Parts[][].Done: MessagePack cannot carry a chan"},
		{use[func()], "func()" + noSuch + "func(): MessagePack cannot carry a func"},
		{use[complex64], "MessagePack cannot carry a complex64"},
		{use[uintptr], "MessagePack cannot carry a uintptr"},
		{use[unsafe.Pointer], "MessagePack cannot carry a unsafe.Pointer"},
		{use[map[string]uintptr], "map[string]uintptr[]: MessagePack cannot carry a uintptr"},
		{use[map[complex128]int], "map[complex128]int[key]: MessagePack cannot carry a complex128"},
		{use[struct{ W encoding.TextMarshaler }], "W: nothing says which type to read for the interface encoding.TextMarshaler"},
		{use[selfPointer], "points to nothing but itself"},
		{use[selfEmbedder], "embeds itself"},
		{use[struct {
			N int `msgpack:"n,intern"`
		}], "N: interned strings are not on the wire; take the option intern off its tag"},
	} {
		write, read := c.use(t)
		if write == nil || !strings.Contains(write.Error(), c.want) {
			t.Errorf("written: got %v, want %s", write, c.want)
		}
		if read == nil || !strings.Contains(read.Error(), c.want) {
			t.Errorf("read: got %v, want %s", read, c.want)
		}
	}
}

// use writes and reads a zero T.
func use[T any](*testing.T) (write, read error) {
	c := reflectcodec.Of[T]()
	var v T
	_, write = c.Append(nil, &v)
	return write, c.Decode([]byte{0xc0}, &v)
}

func TestFieldsThatDoNotTravelMayBeOfAnyType(t *testing.T) {
	if got := roundTrip(t, hidden{Name: "kept", done: make(chan int)}); got.Name != "kept" || got.done != nil {
		t.Errorf("got %+v, want the name alone", got)
	}
}

func TestAValueThatCouldNotBeReadAgainIsNotWritten(t *testing.T) {
	ring := &listNode{Name: "ring"}
	ring.Next = ring
	long := &listNode{}
	for range codec.MaxDepth {
		long = &listNode{Next: long}
	}
	slice := make(listSlice, 1)
	slice[0] = slice
	tangle := map[string]any{}
	tangle["self"] = tangle
	for name, err := range map[string]error{
		"a ring of pointers":      write(*ring),
		"a list that is too deep": write(*long),
		"a slice in itself":       write(slice),
		"a map in itself":         write(tangle),
	} {
		if !errors.Is(err, codec.ErrTooDeep) {
			t.Errorf("%s: got %v, want %v", name, err, codec.ErrTooDeep)
		}
	}
	if err := write(badMarshaler{}); err == nil || !strings.Contains(err.Error(), "trailing bytes") {
		t.Errorf("a marshaler that writes two values: got %v, want an error", err)
	}
	if err := write[any](make(chan int)); err == nil || !strings.Contains(err.Error(), "chan int") {
		t.Errorf("a channel in an any: got %v, want an error that names it", err)
	}
	if err := write[any](uintptr(1)); err == nil {
		t.Error("a uintptr in an any was written")
	}
}

func write[T any](v T) error {
	b, err := reflectcodec.Of[T]().Append([]byte("kept"), &v)
	if err != nil && string(b) != "kept" {
		return errors.New("the buffer was changed")
	}
	return err
}

type badMarshaler struct{}

func (badMarshaler) MarshalMsgpack() ([]byte, error) { return []byte{1, 2}, nil }

// bomb panics where it is to read itself, idler reads nothing.
type (
	bomb  struct{}
	idler struct{}
)

func (*bomb) UnmarshalBinary([]byte) error          { panic("boom") }
func (*idler) DecodeMsgpack(*msgpack.Decoder) error { return nil }

func TestBadUnmarshalersAreErrors(t *testing.T) {
	data := []byte("\xc4\x01x")
	err := reflectcodec.Of[bomb]().Decode(data, &bomb{})
	if want := "reflectcodec: read reflectcodec_test.bomb: panic: boom at offset 3"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	err = reflectcodec.Of[idler]().Decode(data, &idler{})
	if want := "reflectcodec: read reflectcodec_test.idler: an unmarshaler left a part of its value unread at offset 3"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOneValueAmongOthers(t *testing.T) {
	c := reflectcodec.Of[Parcel]()
	r := codec.NewReader([]byte("\x92\x81\xa4name\xa1x\x05"))
	r.EnterArray()
	var v Parcel
	c.Read(&r, &v)
	if n := r.Int(); v.Name != "x" || n != 5 || r.Failed() {
		t.Errorf("got %q, then %d, %v, want x, then 5", v.Name, n, r.Err())
	}
}

func TestACodecIsUsedByManyAtOnce(t *testing.T) {
	c := reflectcodec.Of[Parcel]()
	want := Parcel{Name: "shared", Inside: []Parcel{{Name: "inside"}}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				data, err := c.Append(nil, &want)
				var got Parcel
				if err == nil {
					err = c.Decode(data, &got)
				}
				if err != nil || got.Inside[0].Name != "inside" {
					t.Errorf("got %+v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Loose has a way to decode for each of the traps in vmihailenco's decoder.
type Loose struct {
	Typed   map[string]string
	Any     map[string]any
	ByAny   map[any]int
	Ints    map[string][]int32
	Pairs   [][2]int64
	Strings []string
	Parcels []Parcel
	Bytes   []byte
	Time    time.Time
	Err     error
	Value   any
}

func TestHostileInputIsRefusedAtNoCost(t *testing.T) {
	c := reflectcodec.Of[Loose]()
	mapInExt := "\xdf\xff\xff\xff\xff" // as an ext's body, where a map is wanted
	for _, attack := range []struct{ name, data string }{
		{"2³¹ elements", "\x81\xa7Parcels\xdd\x80\x00\x00\x00"},
		{"2³¹ entries", "\x81\xa3Any\xdf\x80\x00\x00\x00"},
		{"2³¹ bytes", "\x81\xa5Bytes\xc6\x80\x00\x00\x00"},
		{"2³² entries in an ext's body, for map[string]any", "\x81\xa3Any\xc7\x06\x00" + mapInExt + "\x00"},
		{"2³² entries in an ext's body, for map[string]string", "\x81\xa5Typed\xc7\x06\x00" + mapInExt + "\x00"},
		{"2³² entries in a time", "\x81\xa3Any\xd7\xff" + mapInExt + "\x00\x00\x00"},
		{"2³² entries in an interned string", "\x81\xa3Any\xc7\x06\x80" + mapInExt + "\x00"},
		{"8 MB of nesting", "\x81\xa1x" + strings.Repeat("\x91", 8<<20)},
		{"a slice as a map's key", "\x81\xa5ByAny\x81\x91\x01\x01"},
		{"an int for an error", "\x81\xa3Err\x01"},
		{"an unknown ext for an any", "\x81\xa5Value\xd4\x05\x00"},
		{"an interned string that does not exist", "\x81\xa5Value\xd4\x80\x00"},
		{"bytes left over", "\x80\x00"},
		{"nothing", ""},
	} {
		var err error
		got := allocated(func() {
			var v Loose
			err = c.Decode([]byte(attack.data), &v)
		})
		if err == nil {
			t.Errorf("%s: was read", attack.name)
		}
		if most := uint64(2*len(attack.data) + 64<<10); got > most {
			t.Errorf("%s: allocated %d bytes, want at most %d", attack.name, got, most)
		}
	}
}

// allocated is the number of bytes that f allocates, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzOf(f *testing.F) {
	c := reflectcodec.Of[Loose]()
	full := Loose{
		Typed: map[string]string{"a": "b"}, Any: map[string]any{"k": []any{1, "v", nil}}, ByAny: map[any]int{"x": 1},
		Ints: map[string][]int32{"i": {1, -70_000}}, Pairs: [][2]int64{{1, 2}}, Strings: []string{"s"},
		Parcels: []Parcel{{Name: "p", Beside: &Parcel{}}}, Bytes: []byte("b"), Time: time.Unix(1, 2), Err: errors.New("e"), Value: time.Unix(3, 0),
	}
	data, err := c.Append(nil, &full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("\x81\xa3Any\xc7\x06\x00\xdf\xff\xff\xff\xff\x00"))
	f.Add([]byte("\x81\xa5ByAny\x81\x91\x01\x01"))
	f.Add(append([]byte("\x81\xa7Parcels\xdc\x01\x00"), bytes.Repeat([]byte{0xc0}, 256)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v Loose
		got := allocated(func() { err = c.Decode(data, &v) })
		// The decoder makes a slice twice, once to copy it.
		largest := 2 * uint64(unsafe.Sizeof(Parcel{}))
		if most := (256+largest)*uint64(len(data)) + 64<<10; got > most {
			t.Errorf("%d bytes allocated for %d bytes of input, want at most %d", got, len(data), most)
		}
	})
}
