package roundtrip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

// checkVariant reads v from messages that another program might have written: with
// longer numbers and headers, the entries of maps in another order, fields that nobody
// knows, and some missing.
func checkVariant[T any](c codec.Codec[T], v T, encoded []byte, seed uint64) error {
	t := reflect.TypeFor[T]()
	if keepsEncoding(t, nil) {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, 2))
	r := codec.NewReader(encoded)
	message := vary(&r, nil, random)
	var back T
	if err := c.Decode(message, &back); err != nil {
		return fmt.Errorf("decode %q, which is %q in longer forms: %w", message, encoded, err)
	}
	if !reflect.DeepEqual(v, back) {
		return fmt.Errorf("read %+v from longer forms, sent %+v", back, v)
	}
	if strings.Contains(fmt.Sprint(t), "map[") || t.Kind() != reflect.Struct || encoded[0]>>4 != 0x8 {
		return nil
	}
	return checkFields(c, encoded, random)
}

// checkFields reads a struct's message with one unknown field more, then with one
// known field less, which must stand for the same as before in all others.
func checkFields[T any](c codec.Codec[T], encoded []byte, random *rand.Rand) error {
	entries := fieldsOf(encoded)
	unknown := [2][]byte{codec.AppendString(nil, "nobody knows me"), {0x92, 0x81, 0xa1, 'a', 0xc0, 0xcb, 1, 2, 3, 4, 5, 6, 7, 8}}
	at := random.IntN(len(entries) + 1)
	more := append(append(append([][2][]byte{}, entries[:at]...), unknown), entries[at:]...)
	var v T
	if err := c.Decode(joined(more), &v); err != nil {
		return fmt.Errorf("with a field more: %w", err)
	}
	if again, err := c.Append(nil, &v); err != nil || !bytes.Equal(again, encoded) {
		return fmt.Errorf("read %q with a field more, wrote %q (%v)", encoded, again, err)
	}
	if len(entries) == 0 {
		return nil
	}
	gone := random.IntN(len(entries))
	var less T
	if err := c.Decode(joined(append(append([][2][]byte{}, entries[:gone]...), entries[gone+1:]...)), &less); err != nil {
		return fmt.Errorf("without %q: %w", entries[gone][0], err)
	}
	again, err := c.Append(nil, &less)
	if err != nil {
		return fmt.Errorf("without %q: %w", entries[gone][0], err)
	}
	left := make(map[string]string)
	for _, e := range fieldsOf(again) {
		left[string(e[0])] = string(e[1])
	}
	for i, e := range entries {
		if i != gone && left[string(e[0])] != string(e[1]) {
			return fmt.Errorf("without %q: %q became %q, was %q", entries[gone][0], e[0], left[string(e[0])], e[1])
		}
	}
	return nil
}

// fieldsOf gives the entries of a map, keys and values encoded.
func fieldsOf(message []byte) [][2][]byte {
	r := codec.NewReader(message)
	entries := make([][2][]byte, r.EnterMap())
	for i := range entries {
		entries[i] = [2][]byte{r.RawView(), r.RawView()}
	}
	return entries
}

func joined(entries [][2][]byte) []byte {
	b := codec.AppendMapLen(nil, len(entries))
	for _, e := range entries {
		b = append(append(b, e[0]...), e[1]...)
	}
	return b
}

// vary appends the next value of r in a form of random length, the entries of maps in
// random order.
func vary(r *codec.Reader, b []byte, random *rand.Rand) []byte {
	switch r.Kind() {
	case codec.Map:
		n := r.EnterMap()
		entries := make([][]byte, n)
		for i := range entries {
			entries[i] = vary(r, vary(r, nil, random), random)
		}
		r.Leave()
		random.Shuffle(n, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		return append(varyLength(b, codec.AppendMapLen(nil, n), 0xde, n, random), bytes.Join(entries, nil)...)
	case codec.Array:
		n := r.EnterArray()
		b = varyLength(b, codec.AppendArrayLen(nil, n), 0xdc, n, random)
		for range n {
			b = vary(r, b, random)
		}
		r.Leave()
		return b
	case codec.Str:
		text := r.Str()
		whole := codec.AppendString(nil, text)
		return append(varyLength(b, whole[:len(whole)-len(text)], 0xda, len(text), random), text...)
	case codec.Int:
		raw := r.RawView()
		number := codec.NewReader(raw)
		n := number.Int64()
		if number.Failed() || random.IntN(2) == 0 {
			return append(b, raw...)
		}
		return append(b, 0xd3, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		return append(b, r.RawView()...)
	}
}

// varyLength appends a header as it is, or with a length of 16 or 32 bits.
func varyLength(b, header []byte, code16 byte, n int, random *rand.Rand) []byte {
	switch form := random.IntN(3); {
	case form == 0:
		return append(b, header...)
	case form == 1 && n < 1<<16:
		return append(b, code16, byte(n>>8), byte(n))
	default:
		return append(b, code16+1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

// keepsEncoding tells whether values of the type hold what was encoded as it came, or
// read it themselves: another form is another value then.
func keepsEncoding(t reflect.Type, inside []reflect.Type) bool {
	for _, outer := range inside {
		if outer == t {
			return false
		}
	}
	inside = append(inside, t)
	if t == reflect.TypeFor[msgpack.RawMessage]() || t == reflect.TypeFor[codec.Raw]() {
		return true
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[msgpack.CustomDecoder]()) || p.Implements(reflect.TypeFor[msgpack.Unmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return keepsEncoding(t.Elem(), inside)
	case reflect.Map:
		return keepsEncoding(t.Key(), inside) || keepsEncoding(t.Elem(), inside)
	case reflect.Struct:
		for f := range t.Fields() {
			if keepsEncoding(f.Type, inside) {
				return true
			}
		}
	}
	return false
}
