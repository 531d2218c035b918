package stem

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/gostem/gostem/stem/codec"
)

// hashPayload gives what tells args apart. Equal args have equal bytes: codecs are
// deterministic.
func hashPayload(payload []byte) string {
	sum := sha256.Sum256(payload)
	return shortened(sum[:])
}

// hashFields gives what tells apart those fields of args that are named, in the order given.
// It goes by the bytes of their values, so no generated code is needed.
func hashFields(payload []byte, fields []string) (string, error) {
	if r := codec.NewReader(payload); len(payload) > 0 && r.Kind() != codec.Map && !r.Nil() {
		return "", &OptionError{Option: "UniqueBy", Value: clip(strings.Join(fields, ", ")), Want: "fields of args that are a struct or a map"}
	}
	h := sha256.New()
	for _, field := range fields {
		value := fieldOf(payload, field)
		if value == nil {
			value = nilValue
		}
		frame(h, []byte(field))
		frame(h, value)
	}
	return shortened(h.Sum(nil)), nil
}

// nilValue is a nil on the wire, for a field that is not there.
var nilValue = codec.AppendNil(nil)

// shortened gives 128 bits of a hash: for two of a billion kinds to be taken for one is
// less likely than that a store loses both.
func shortened(sum []byte) string { return hex.EncodeToString(sum[:16]) }

// frame hashes b so that it does not run into what follows.
func frame(h hash.Hash, b []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(b)))
	_, _ = h.Write(size[:]) // a hash never fails
	_, _ = h.Write(b)
}
