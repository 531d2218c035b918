// Package roundtrip holds generated codecs against github.com/vmihailenco/msgpack/v5,
// which defines the wire.
package roundtrip

import (
	"bytes"
	"encoding"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

var (
	failures int
	checked  int // codecs
	spoiled  int // messages
)

// Exit ends the program, with 1 where a check has failed.
func Exit() {
	writeSamples()
	fmt.Printf("%d codecs checked with %d values each and %d spoiled messages, %d failures\n", checked, values, spoiled, failures)
	if failures > 0 || checked == 0 {
		os.Exit(1)
	}
}

// Differences are what is known to differ in a case.
type Differences struct {
	Bytes bool // the other library carries the type in another way
	Whole bool // by the rules of the tags or of Go itself, not every field travels
}

// values is how many values of each type are carried, thorough how many of them are
// also spoiled in all ways. Few are carried to JSON, and of types with large arrays.
const (
	values   = 100
	few      = 8
	thorough = 3
	large    = 4096
)

// Check carries values of T with the codec and back, from and to the other library, and from
// and to JSON. Seed 0 is the zero value.
func Check[T any](name string, c codec.Codec[T], schema string, known Differences) {
	checked++
	var f *form
	var err error
	if schema != "" {
		f, err = newForm(name, schema)
	}
	if err != nil {
		failures++
		fmt.Printf("%s: %s\n", name, err)
		return
	}
	carry(name, values, func(v T, seed uint64) error {
		err := check(c, v, known, seed)
		if err == nil && !known.Bytes {
			err = compare(c, v, known, seed)
		}
		if err == nil && f != nil && seed < few {
			err = checkJSON(f, c, v)
		}
		if err == nil && seed < few {
			err = checkDeep(c, seed)
		}
		if err == nil && seed < thorough {
			err = spoil(c, v, seed)
		}
		if err == nil && seed == sampled {
			sample(name, c, v)
		}
		return err
	})
}

// CheckPublic carries values of a type that somebody else has published. It prints
// where the other library carries it in another way.
func CheckPublic[T any](name string, c codec.Codec[T]) {
	checked++
	var otherwise error
	carry(name, few, func(v T, seed uint64) error {
		known := Differences{Whole: true}
		if err := check(c, v, known, seed); err != nil {
			return err
		}
		if otherwise == nil {
			otherwise = compare(c, v, known, seed)
		}
		if seed == 1 {
			return spoil(c, v, seed)
		}
		return nil
	})
	if otherwise != nil {
		fmt.Printf("differs: %s: %.300s\n", name, otherwise)
	}
}

// carry makes values of T for f until that finds fault with one.
func carry[T any](name string, values uint64, f func(v T, seed uint64) error) {
	t := reflect.TypeFor[T]()
	if max(t.Size(), largest(t, nil)) > large {
		values = few
	}
	for seed := range values {
		var v T
		if seed > 0 {
			random := filler{rand.New(rand.NewPCG(seed, 1)), seed}
			random.fill(reflect.ValueOf(&v).Elem(), 0)
		}
		if err := f(v, seed); err != nil {
			failures++
			fmt.Printf("%s, seed %d: %s\n", name, seed, err)
			return
		}
	}
}

// check carries v to the wire and back.
func check[T any](c codec.Codec[T], v T, known Differences, seed uint64) error {
	encoded, err := c.Append(nil, &v)
	if err != nil {
		return fmt.Errorf("encode %+v: %w", v, err)
	}
	if behind, err := c.Append([]byte("more"), &v); err != nil || string(behind) != "more"+string(encoded) {
		return fmt.Errorf("appended %q to more and %q to nothing (%v)", behind, encoded, err)
	}
	if err := codec.Valid(encoded); err != nil {
		return fmt.Errorf("%q is not valid: %w", encoded, err)
	}
	var back T
	if err := c.Decode(encoded, &back); err != nil {
		return fmt.Errorf("decode %q: %w", encoded, err)
	}
	if twice, err := c.Append(nil, &back); err != nil || !bytes.Equal(twice, encoded) {
		return fmt.Errorf("got back %+v, sent %+v", back, v)
	}
	if known.Whole {
		v = back
	}
	if !reflect.DeepEqual(v, back) {
		return fmt.Errorf("got back %+v, sent %+v", back, v)
	}
	return checkVariant(c, back, encoded, seed)
}

// compare carries v to the other library and back, and lets that write it too.
func compare[T any](c codec.Codec[T], v T, known Differences, seed uint64) error {
	encoded, err := c.Append(nil, &v)
	if err != nil {
		return err
	}
	if known.Whole {
		v = *new(T)
		if err := c.Decode(encoded, &v); err != nil {
			return err
		}
	}
	var theirs T
	if err := msgpack.Unmarshal(encoded, &theirs); err != nil {
		return fmt.Errorf("the other library decodes %q: %w", encoded, err)
	}
	again, err := c.Append(nil, &theirs)
	if err != nil || !bytes.Equal(again, encoded) {
		return fmt.Errorf("the other library reads %+v, sent %+v (%v)", theirs, v, err)
	}
	for _, compact := range []bool{true, false} {
		var buf bytes.Buffer
		enc := msgpack.NewEncoder(&buf)
		enc.UseCompactInts(compact)
		enc.SetSortMapKeys(compact)
		if err := enc.Encode(&v); err != nil {
			return fmt.Errorf("the other library encodes %+v: %w", v, err)
		}
		if one := seed%8 < 4; one && compact && !bytes.Equal(buf.Bytes(), encoded) {
			return fmt.Errorf("encoded\n%q, the other library\n%q", encoded, buf.Bytes())
		}
		var fromTheirs T
		if err := c.Decode(buf.Bytes(), &fromTheirs); err != nil {
			return fmt.Errorf("decode the other library's %q: %w", buf.Bytes(), err)
		}
		if !reflect.DeepEqual(fromTheirs, v) {
			return fmt.Errorf("read %+v from the other library, which sent %+v", fromTheirs, v)
		}
	}
	return nil
}

// A filler makes values. For half of the seeds maps get one entry: the other library
// does not sort keys that are not strings.
type filler struct {
	*rand.Rand
	seed uint64
}

const deepest = 5

func (f filler) fill(v reflect.Value, depth int) {
	if f.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := int64(f.Uint64()) >> f.IntN(64)
		v.SetInt(n >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> f.IntN(64) >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.IntN(1000)) / 8)
	case reflect.String:
		v.SetString([]string{"", "a", "über", "a string of more than thirty-one bytes", "x"}[f.IntN(5)])
	case reflect.Pointer:
		if depth < deepest && f.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
			if elem := v.Elem(); elem.Kind() == reflect.Slice && elem.IsNil() {
				v.SetZero() // on the wire both are nil
			}
		}
	case reflect.Slice:
		if depth >= deepest {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range min(v.Len(), 100) {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		f.fillMap(v, depth)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("msgpack") == "-" || !field.IsExported() && !field.Anonymous {
				continue
			}
			f.fillField(v.Field(i), field, depth)
		}
	}
}

// fillField leaves embedded pointers nil for odd seeds, and fills what is in others so
// that it can be told from nothing.
func (f filler) fillField(v reflect.Value, field reflect.StructField, depth int) {
	if field.Anonymous && v.Kind() == reflect.Pointer {
		if f.seed%2 == 1 || !v.CanSet() || depth >= deepest {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if !field.IsExported() && v.Kind() != reflect.Struct {
		return
	}
	f.fill(v, depth+1)
}

func (f filler) fillMap(v reflect.Value, depth int) {
	if depth >= deepest {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	n := 1
	if f.seed%8 >= 4 {
		n = f.IntN(20)
	}
	for range n {
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		f.fill(key, depth+1)
		f.fill(value, depth+1)
		v.SetMapIndex(key, value)
	}
}

var samples = []string{"1234", "192.0.2.7", "https://example.org/a?b=c", "2d931510-d99f-494a-8c67-87feb05e1594", "red"}

// special fills values that are more than what they are made of.
func (f filler) special(v reflect.Value) bool {
	if !v.CanAddr() || !v.CanSet() {
		return false
	}
	instant := time.Unix(int64(f.Uint32()), int64(f.IntN(1e9))).UTC()
	if v.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) && v.Kind() == reflect.Struct {
		v.Set(reflect.ValueOf(instant).Convert(v.Type()))
		return true
	}
	unmarshal := func([]byte) error { return fmt.Errorf("is no unmarshaler") }
	switch to := v.Addr().Interface().(type) {
	case *msgpack.RawMessage:
		*to = f.encoded()
		return true
	case *codec.Raw:
		*to = f.encoded()
		return true
	case msgpack.CustomDecoder:
		return false
	case encoding.TextUnmarshaler:
		unmarshal = to.UnmarshalText
	case encoding.BinaryUnmarshaler:
		unmarshal = to.UnmarshalBinary
	}
	for _, sample := range samples {
		if unmarshal([]byte(sample)) == nil {
			return true
		}
		v.SetZero()
	}
	return false
}

// encoded gives a value as it stands on the wire, or nothing.
func (f filler) encoded() []byte {
	return [][]byte{nil, {0x2a}, {0x81, 0xa1, 'a', 0x92, 1, 2}, {0xc4, 1, 0}}[f.IntN(4)]
}
