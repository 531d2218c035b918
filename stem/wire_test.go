package stem_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vmihailenco/msgpack/v5"
)

// What lies in stores has one wire format (see stem/wire.go), and is held to the same.

// pinned expects the bytes of a value, in hex, and the value of the bytes.
func pinned[T any](t *testing.T, write func([]byte, *T) []byte, parse func([]byte) (T, error), value T, want string) {
	t.Helper()
	data := write(nil, &value)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, value); diff != "" {
		t.Errorf("parsed -, written +:\n%s", diff)
	}
}

// plainMessagePack expects a version and so many fields.
func plainMessagePack(t *testing.T, data []byte, fields int) {
	t.Helper()
	var got struct {
		_msgpack struct{} `msgpack:",as_array"`
		Version  int
		Fields   map[int]msgpack.RawMessage
	}
	if err := msgpack.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || len(got.Fields) != fields {
		t.Errorf("got version %d and %d fields, want 1 and %d", got.Version, len(got.Fields), fields)
	}
}

// readTwice expects that what can be read of any bytes can be written and read again.
func readTwice[T any](t *testing.T, write func([]byte, *T) []byte, parse func([]byte) (T, error), data []byte) {
	t.Helper()
	first, err := parse(data)
	if err != nil {
		return
	}
	again, err := parse(write(nil, &first))
	if err != nil {
		t.Fatalf("what was read cannot be read again: %v", err)
	}
	if diff := cmp.Diff(again, first, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read twice, got -, want +:\n%s", diff)
	}
}
