package roundtrip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"

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
		var ways, endlessWays []reflect.Value
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && nests(field.Type) {
				ways = append(ways, v.Field(i))
				if endless(field.Type, make(map[reflect.Type]bool)) {
					endlessWays = append(endlessWays, v.Field(i))
				}
			}
		}
		if len(endlessWays) > 0 && levels > 1+f.IntN(4) {
			ways = endlessWays
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

// endless tells whether a type leads back to one on the way to it.
func endless(t reflect.Type, way map[reflect.Type]bool) bool {
	if way[t] {
		return true
	}
	way[t] = true
	defer delete(way, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return endless(t.Elem(), way)
	case reflect.Struct:
		for i := range t.NumField() {
			if endless(t.Field(i).Type, way) {
				return true
			}
		}
	}
	return false
}
