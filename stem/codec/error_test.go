package codec_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

func TestErrorsLeadToTheValueAtFault(t *testing.T) {
	type m = map[string]any
	item := m{"sku": "BK-00017", "price_cents": 4_999}
	for _, c := range []struct {
		promise string
		value   any
		want    string
	}{
		{"a field in a slice", m{"Items": []m{item, item, {"price_cents": "free"}}}, "Items[2].price_cents: want int, have str at offset 79"},
		{"a field in a struct in a struct", m{"customer": m{"home": m{"zip": 8000}}}, "customer.home.zip: want str, have int at offset 21"},
		{"a field behind a pointer", m{"billing": m{"city": false}}, "billing.city: want str, have bool at offset 15"},
		{"an element", m{"Items": []any{item, 7}}, "Items[1]: want map, have int at offset 37"},
		{"an entry of a map goes by position, not by its key", m{"labels": m{"secret": 1}}, "labels[0]: want str, have int at offset 16"},
		{"the outermost value", []int{1}, "want map, have array at offset 0"},
		{"an int out of range", m{"status": 256}, "status: want uint8, have int out of range at offset 8"},
		{"a key that is no string", map[int]int{1: 2}, "want str, have int at offset 1"},
		{"an unknown field", m{"new field\n": msgpack.RawMessage("\xc1")}, `"new field\n": want value, have invalid byte at offset 12`},
		{"an unknown field with a long name", m{strings.Repeat("k", 100): msgpack.RawMessage("\xc1")}, `"` + strings.Repeat("k", 64) + `": want value, have invalid byte at offset 103`},
	} {
		data := oracle(t, c.value)
		var v Order
		err := orderCodec.Decode(data, &v)
		var at *codec.Error
		if !errors.As(err, &at) || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.promise, err, c.want)
		}
	}
}

func TestAnUnmarshalersErrorIsWrapped(t *testing.T) {
	data := oracle(t, map[string]any{"via": [][]byte{{127, 0, 0, 1}, {1, 2, 3}}})
	var v Visit
	err := visitCodec.Decode(data, &v)
	if want := "via[1]: unexpected slice size at offset 17"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	cause := errors.New("cause")
	r := codec.NewReader(nil)
	r.Fail(nil)
	if r.Failed() {
		t.Error("a nil error failed the reader")
	}
	if r.Fail(cause); !errors.Is(r.Err(), cause) {
		t.Errorf("got %v, want an error that wraps %v", r.Err(), cause)
	}
}

func TestAPathIsAddedToFailuresOnly(t *testing.T) {
	r := codec.NewReader([]byte("\x01"))
	r.InField([]byte("field"))
	r.InIndex(3)
	r.Bool()
	if want := "want bool, have int at offset 0"; r.Err().Error() != want {
		t.Errorf("got %v, want %s", r.Err(), want)
	}
}

func TestTypesWithMarshalersComeBack(t *testing.T) {
	want := Visit{From: netip.MustParseAddr("::1"), Via: []netip.Addr{netip.MustParseAddr("10.0.0.1"), {}}}
	data, err := visitCodec.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	if peer := oracle(t, &want); string(data) != string(peer) {
		t.Errorf("got %x, want %x", data, peer)
	}
	var got Visit
	if err := visitCodec.Decode(data, &got); err != nil || got.From != want.From || len(got.Via) != 2 || got.Via[1] != want.Via[1] {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := visitCodec.Decode([]byte("\x81\xa4from\xc0"), &got); err != nil || got.From.IsValid() {
		t.Errorf("nil: got %v, %v, want the zero address", got.From, err)
	}
}
