package codec_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gostem/gostem/stem/codec"
)

func TestEncodedKeysComeInOrder(t *testing.T) {
	appendKey := func(b []byte, k *string) ([]byte, error) { return codec.AppendString(b, *k), nil }
	entries, err := codec.EncodedEntries(map[string]int{"bb": 2, "c": 3, "a": 1}, appendKey)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, string(e.Key))
	}
	if want := []string{"\xa1a", "\xa1c", "\xa2bb"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTwoKeysOfOneEncodingAreRefused(t *testing.T) {
	same := func(b []byte, _ *int) ([]byte, error) { return codec.AppendNil(b), nil }
	if _, err := codec.EncodedEntries(map[int]int{1: 1, 2: 2}, same); err == nil {
		t.Error("got no error")
	}
	broken := errors.New("broken")
	fails := func(b []byte, _ *int) ([]byte, error) { return b, broken }
	if _, err := codec.EncodedEntries(map[int]int{1: 1}, fails); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestADecoderThatLeavesBytesUnreadIsTold(t *testing.T) {
	r := codec.NewReader([]byte{1})
	r.FailUnread(0)
	if r.Int(); r.Err() != nil {
		t.Fatal(r.Err())
	}
	r.FailUnread(3)
	if want := "3 bytes that the type's decoder left unread at offset 1"; r.Err() == nil || r.Err().Error() != want {
		t.Errorf("got %v, want %s", r.Err(), want)
	}
}
