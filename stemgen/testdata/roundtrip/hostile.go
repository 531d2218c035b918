package roundtrip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"

	"github.com/gostem/gostem/stem/codec"
)

// checkDeep carries values that nest about as deep as any may: what is encoded can be
// read again, and what is not says why.
func checkDeep[T any](c codec.Codec[T], seed uint64) error {
	for levels := codec.MaxDepth - 6; levels < codec.MaxDepth+3; levels++ {
		var v, back T
		f := filler{rand.New(rand.NewPCG(seed, uint64(levels))), seed}
		f.chain(reflect.ValueOf(&v).Elem(), levels)
		encoded, err := c.Append(nil, &v)
		if errors.Is(err, codec.ErrTooDeep) {
			continue
		}
		if err != nil {
			return fmt.Errorf("encode %d levels: %w", levels, err)
		}
		if err := c.Decode(encoded, &back); err != nil {
			return fmt.Errorf("encoded %d levels, and cannot decode them: %w", levels, err)
		}
	}
	return nil
}

// chain fills a value along one way that leads as deep as it can, levels structs, lists
// and maps.
func (f filler) chain(v reflect.Value, levels int) {
	if levels == 0 || f.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.chain(v.Elem(), levels)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.chain(v.Index(0), levels-1)
	case reflect.Array:
		if v.Len() > 0 {
			f.chain(v.Index(0), levels-1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key, deepest)
		f.chain(value, levels-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		var ways []reflect.Value
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && nests(field.Type) {
				ways = append(ways, v.Field(i))
			}
		}
		if len(ways) > 0 {
			f.chain(ways[f.IntN(len(ways))], levels-1)
		}
	}
}

func nests(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		return true
	}
	return false
}

// checkHostile decodes messages that nobody encoded: no memory is spent on them that
// they have not bytes for.
func checkHostile[T any](c codec.Codec[T], v T, seed uint64) error {
	encoded, err := c.Append(nil, &v)
	if err != nil || len(encoded) > 1<<14 {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 2))
	largest := uint64(largestWithin(reflect.TypeFor[T](), make(map[reflect.Type]bool)))
	for range 16 {
		data := append([]byte(nil), encoded...)
		for range 1 + random.IntN(3) {
			data[random.IntN(len(data))] = []byte{0xdd, 0xdf, 0xdc, 0xde, 0x9f, 0x8f, 0x90, 0x80, 0xc0, 0xc6, 0xdb, byte(random.Uint32())}[random.IntN(12)]
		}
		data = append(data, make([]byte, random.IntN(1<<12))...)
		var have T
		got := allocated(func() { err = c.Decode(data, &have) })
		if limit := (64+largest)*uint64(len(data)) + 64<<10; got > limit {
			return fmt.Errorf("decode %q: allocated %d bytes, want at most %d (%v)", data, got, limit, err)
		}
	}
	return nil
}

// largestWithin gives the size of the largest type of which values lie within those of t.
func largestWithin(t reflect.Type, seen map[reflect.Type]bool) uintptr {
	if seen[t] {
		return 0
	}
	seen[t] = true
	size := t.Size()
	switch t.Kind() {
	case reflect.Map:
		size = max(t.Key().Size()+t.Elem().Size(), largestWithin(t.Elem(), seen))
	case reflect.Pointer, reflect.Slice, reflect.Array:
		size = max(size, largestWithin(t.Elem(), seen))
	case reflect.Struct:
		for i := range t.NumField() {
			size = max(size, largestWithin(t.Field(i).Type, seen))
		}
	}
	return size
}

// allocated is the number of bytes that f allocates, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
