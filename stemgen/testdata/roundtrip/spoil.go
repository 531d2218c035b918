package roundtrip

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/metrics"
	"slices"

	"github.com/gostem/gostem/stem/codec"
)

const (
	spots     = 32  // how many places of a message are spoiled, at most
	mutations = 100 // how many messages are made of one by chance
)

// lies are headers that announce more than any message holds, or as much as only the
// largest do.
var lies = []string{
	"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x01",
	"\xdd\x80\x00\x00\x00", "\xdc\xff\xff", "\xde\x7f\xff", "\xdd\x00\x00\x00\x40\xc0\xc0\xc0",
}

// spoil reads v from messages that no honest program writes. None may make the reader
// panic or allocate more than it pays for; what is refused is refused with a place;
// what is accepted can be written and read again.
func spoil[T any](c codec.Codec[T], v T, seed uint64) error {
	encoded, err := c.Append(nil, &v)
	if err != nil {
		return err
	}
	t := reflect.TypeFor[T]()
	s := spoiler[T]{c, max(t.Size(), largest(t, nil))}
	step := len(encoded)/spots + 1
	for i := 0; i < len(encoded); i += step {
		var cut T
		if err := c.Decode(encoded[:i], &cut); err == nil {
			return fmt.Errorf("decode the first %d bytes of %q: no error", i, encoded)
		}
		for _, flip := range []byte{0x01, 0x10, 0xff} {
			flipped := slices.Clone(encoded)
			flipped[i] ^= flip
			err = errors.Join(err, s.read(flipped))
		}
		for _, lie := range lies {
			err = errors.Join(err, s.read(append(append(slices.Clone(encoded[:i]), lie...), encoded[i:]...)))
		}
		// As many elements as bytes are left, and a million, of which the first come.
		for _, header := range []string{"\xdd\x00\x00\x10\x00", "\xdd\x00\x10\x00\x00"} {
			begun := slices.Concat(encoded[:i], []byte(header), bytes.Repeat([]byte{0xc0}, 600), make([]byte, 4096-600))
			err = errors.Join(err, s.read(begun))
		}
		if err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(seed, 3))
	for range mutations {
		if err := s.read(mutate(encoded, random)); err != nil {
			return err
		}
	}
	if seed != 1 {
		return nil
	}
	return s.readNested(encoded, step)
}

// mutate changes a few places of a message.
func mutate(message []byte, random *rand.Rand) []byte {
	m := slices.Clone(message)
	for range 1 + random.IntN(4) {
		at := random.IntN(len(m) + 1)
		switch random.IntN(4) {
		case 0:
			m = slices.Insert(m, at, byte(random.Uint32()))
		case 1:
			m = slices.Insert(m, at, []byte(lies[random.IntN(len(lies))])...)
		case 2:
			m = slices.Delete(m, at, min(at+random.IntN(4), len(m)))
		default:
			if at < len(m) {
				m[at] = byte(random.Uint32())
			}
		}
	}
	return m
}

type spoiler[T any] struct {
	c       codec.Codec[T]
	largest uintptr
}

// read reads a spoiled message. The reader may allocate twice what it keeps, since a
// slice's first 4 kB are copied once it is clear that the rest comes too.
func (s spoiler[T]) read(message []byte) error {
	spoiled++
	var v *T
	var err error
	got := allocated(func() {
		v = new(T)
		err = s.c.Decode(message, v)
	})
	if most := (64+2*uint64(s.largest))*uint64(len(message)+1) + 64<<10; got > most {
		return fmt.Errorf("%d bytes allocated for the %d of %.200q, want at most %d", got, len(message), message, most)
	}
	if err != nil {
		var placed *codec.Error
		if !errors.As(err, &placed) || placed.Offset < 0 || placed.Offset > len(message) {
			return fmt.Errorf("%q is refused without a place in it: %#v", message, err)
		}
		return nil
	}
	once, err := s.c.Append(nil, v)
	if err != nil {
		return nil // a marshaler of the user's need not write all that it reads
	}
	var again T
	if err := s.c.Decode(once, &again); err != nil {
		return fmt.Errorf("%.200q was read and written as %q, which is not read: %w", message, once, err)
	}
	if twice, err := s.c.Append(nil, &again); err != nil || !bytes.Equal(twice, once) {
		return fmt.Errorf("%.200q was read and written as %q, then as %q (%v)", message, once, twice, err)
	}
	return nil
}

// readNested puts megabytes of nesting where values are.
func (s spoiler[T]) readNested(encoded []byte, step int) error {
	for _, message := range nested {
		if err := s.read(message); err != nil {
			return err
		}
	}
	for i := 0; i < len(encoded); i += 4 * step {
		if err := s.read(append(encoded[:i:i], nested[0][:1<<17]...)); err != nil {
			return err
		}
	}
	return nil
}

// nested is 8 MB of arrays and of maps within each other.
var nested = [][]byte{
	bytes.Repeat([]byte("\x91"), 8<<20),
	bytes.Repeat([]byte("\x81\xa0"), 4<<20),
	bytes.Repeat([]byte("\xdc\x00\x01"), 8<<20/3),
}

// allocated is the number of bytes that f allocates, freed ones included; little is
// told roughly. To count exactly stops the world, which takes longer than f does.
func allocated(f func()) uint64 {
	const little = 8 << 10
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	if roughly := sample[0].Value.Uint64() - before; roughly < little {
		return roughly
	}
	var from, to runtime.MemStats
	runtime.ReadMemStats(&from)
	f()
	runtime.ReadMemStats(&to)
	return to.TotalAlloc - from.TotalAlloc
}

// largest gives the size of the largest thing that a reader of the type makes for one
// element: what a slice holds, a pointer leads to or a map has as an entry.
func largest(t reflect.Type, inside []reflect.Type) uintptr {
	if slices.Contains(inside, t) {
		return 0
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return max(t.Elem().Size(), largest(t.Elem(), inside))
	case reflect.Array:
		return largest(t.Elem(), inside)
	case reflect.Map:
		return max(t.Key().Size()+t.Elem().Size(), largest(t.Key(), inside), largest(t.Elem(), inside))
	case reflect.Struct:
		most := uintptr(0)
		for f := range t.Fields() {
			most = max(most, largest(f.Type, inside))
		}
		return most
	}
	return 0
}
