package codec_test

import (
	"bytes"
	"testing"

	"github.com/gostem/gostem/stem/codec"
)

type Level uint8

func TestNumbersOfOneByteTravelAsBin(t *testing.T) {
	levels := []Level{1, 2, 255}
	data := codec.AppendUint8s(nil, levels)
	if want := codec.AppendBytes(nil, []byte{1, 2, 255}); !bytes.Equal(data, want) {
		t.Errorf("got %x, want %x", data, want)
	}
	var slice []Level
	r := codec.NewReader(data)
	if codec.ReadUint8s(&r, &slice); r.Finish() != nil || !bytes.Equal(codec.AppendUint8s(nil, slice), data) {
		t.Errorf("slice: got %v, %v, want %v", slice, r.Err(), levels)
	}
	array := [4]Level{9, 9, 9, 9}
	r.Reset(data)
	if codec.ReadUint8sInto(&r, array[:]); r.Finish() != nil || array != [4]Level{1, 2, 255, 0} {
		t.Errorf("array: got %v, %v, want %v and a zero", array, r.Err(), levels)
	}
	r.Reset(data)
	if codec.ReadUint8sInto(&r, array[:2]); r.Err() == nil {
		t.Error("array that is too short: got no error")
	}
	r.Reset(codec.AppendUint8s[Level](nil, nil))
	if codec.ReadUint8s(&r, &slice); r.Finish() != nil || slice != nil {
		t.Errorf("nil: got %v, %v", slice, r.Err())
	}
}
