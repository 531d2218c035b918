package codec_test

import (
	"testing"

	"github.com/gostem/gostem/stem/codec"
)

func TestRawCarriesOneValueAsItIs(t *testing.T) {
	raw := codec.RawCodec()
	order := sampleOrder()
	value := codec.Raw(oracle(t, &order))
	data, err := raw.Append([]byte("before"), &value)
	if err != nil || string(data) != "before"+string(value) {
		t.Errorf("got %q, %v, want the value appended", data, err)
	}
	var got codec.Raw
	if err := raw.Decode(value, &got); err != nil || string(got) != string(value) {
		t.Errorf("got %q, %v, want %q", got, err, value)
	}
	value[0] = 0xc1
	if got[0] == 0xc1 {
		t.Error("the value that was read changes with its input")
	}
}

func TestRawRefusesWhatIsNotOneValue(t *testing.T) {
	raw := codec.RawCodec()
	for _, c := range []struct {
		promise string
		value   codec.Raw
		want    string
	}{
		{"two values", codec.Raw("\x01\x02"), "trailing bytes at offset 1"},
		{"half a value", codec.Raw("\x92\x01"), "array of 2 elements with 1 bytes left at offset 0"},
		{"no value at all", codec.Raw("\xc1"), "want value, have invalid byte at offset 0"},
	} {
		if _, err := raw.Append(nil, &c.value); err == nil || err.Error() != c.want {
			t.Errorf("%s, written: got %v, want %s", c.promise, err, c.want)
		}
		var got codec.Raw
		if err := raw.Decode(c.value, &got); err == nil || err.Error() != c.want {
			t.Errorf("%s, read: got %v, want %s", c.promise, err, c.want)
		}
	}
}

func TestTheZeroRawIsNil(t *testing.T) {
	var zero codec.Raw
	data, err := codec.RawCodec().Append(nil, &zero)
	if err != nil || string(data) != "\xc0" {
		t.Errorf("got %x, %v, want c0", data, err)
	}
}

func TestARawInTheMiddleIsExactlyItsValue(t *testing.T) {
	r := codec.NewReader([]byte("\x93\x01\x82\xa1a\x91\xc0\xa1b\xd6\xff\x00\x00\x00\x01\x03"))
	r.EnterArray()
	first := r.Int()
	if got, want := string(r.RawView()), "\x82\xa1a\x91\xc0\xa1b\xd6\xff\x00\x00\x00\x01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	last := r.Int()
	r.Leave()
	if err := r.Finish(); err != nil || first != 1 || last != 3 {
		t.Errorf("around it: got %d and %d, %v, want 1 and 3", first, last, err)
	}
}
