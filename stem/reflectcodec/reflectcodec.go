// Package reflectcodec makes codecs for task definitions that are written by hand:
// for any type, by reflection, with github.com/vmihailenco/msgpack/v5.
//
// Its bytes are those of generated code, and each reads what the other wrote, so a
// task may change from one to the other while envelopes are queued. It is slower by
// four to eight times, and it sees a field of a type that cannot travel when it is
// first used, where stemgen sees it before the program runs.
package reflectcodec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

// Of returns the codec of T. It may be called, and used, by several goroutines.
//
// What T may hold and under which names is up to vmihailenco/msgpack: exported fields,
// struct tags `msgpack:"name,omitempty"`, types that marshal themselves. Ints are
// written in the fewest bytes, and the keys of map[string]string, map[string]bool and
// map[string]any in order; other maps in no order. Reading differs from generated code
// in this: a time comes in the local zone, and an int that does not fit its Go type
// loses its upper bits.
//
// Both directions return an error, and never panic:
//
//   - for a T that MessagePack cannot carry, such as one that holds a channel, at
//     each use, with the way to the field at fault;
//   - when writing, for a value that could not be read again, because it is nested
//     deeper than [codec.MaxDepth] (or without an end) or because a marshaler wrote
//     something else than one value;
//   - when reading, for bytes that a [codec.Reader] refuses. All of the value is
//     checked before any of it is decoded, so that memory stays in proportion to the
//     input, and that vmihailenco/msgpack, which trusts lengths and recurses, meets
//     nothing that could bring the process down.
func Of[T any]() codec.Codec[T] {
	t := reflect.TypeFor[T]()
	look := sync.OnceValues(func() (traits, error) { return examine(t) })
	return codec.Codec[T]{
		Append: func(b []byte, v *T) ([]byte, error) {
			traits, err := look()
			if err != nil {
				return b, err
			}
			if traits.mayCycle && endless(reflect.ValueOf(v).Elem(), 0) {
				return b, fmt.Errorf("reflectcodec: write %s: %w", t, codec.ErrTooDeep)
			}
			out, err := encode(b, v)
			if err != nil {
				return b, fmt.Errorf("reflectcodec: write %s: %w", t, err)
			}
			return out, nil
		},
		Read: func(r *codec.Reader, v *T) {
			if _, err := look(); err != nil {
				r.Fail(err)
				return
			}
			in, ok := newInput(r)
			if !ok {
				return
			}
			if err := decode(in, v); err != nil {
				r.Fail(fmt.Errorf("reflectcodec: read %s: %w", t, err))
			}
		},
	}
}

// encode appends the encoding of v, which is a pointer, to b.
func encode(b []byte, v any) (out []byte, err error) {
	defer recoverTo(&err)
	buf := bytes.NewBuffer(b)
	enc := msgpack.NewEncoder(buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	out = buf.Bytes()
	return out, codec.Valid(out[len(b):])
}

// decode fills v, which is a pointer, from all of in.
func decode(in *input, v any) (err error) {
	defer recoverTo(&err)
	if err := msgpack.NewDecoder(in).Decode(v); err != nil {
		return err
	}
	if in.Len() > 0 {
		return errors.New("an unmarshaler left a part of its value unread")
	}
	return nil
}

// recoverTo makes a panic an error: vmihailenco/msgpack panics where an interface or a
// map's key is met by a value that it cannot hold.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}
