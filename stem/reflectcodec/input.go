package reflectcodec

import (
	"bytes"
	"errors"
	"slices"

	"github.com/gostem/gostem/stem/codec"
)

// An input is one well-formed value on its way to vmihailenco's decoder.
//
// That decoder has one more trap than lengths and recursion: where it wants a map and
// meets an extension value, it steps into the extension's body, takes the bytes there
// for the map's header and makes a map of that size, up to 2³². No check of the value
// as such can see it. But a body is opaque to all others, and read in one piece; so an
// input refuses to give a body's first byte by itself.
type input struct {
	bytes.Reader
	bodies []int // where bodies of extension values begin, ascending
}

// newInput takes the next value off r. It is false where r fails.
func newInput(r *codec.Reader) (*input, bool) {
	data := r.RawView()
	if r.Failed() {
		return nil, false
	}
	in := &input{}
	in.Reset(data)
	whole := codec.NewReader(data)
	in.note(&whole)
	return in, true
}

// note walks over a value, which is well formed, and notes the bodies in it. It recurses
// no deeper than codec.MaxDepth.
func (in *input) note(r *codec.Reader) {
	switch r.Kind() {
	case codec.Array:
		for range r.EnterArray() {
			in.note(r)
		}
		r.Leave()
	case codec.Map:
		for range 2 * r.EnterMap() {
			in.note(r)
		}
		r.Leave()
	case codec.Ext:
		if _, body := r.Ext(); len(body) > 0 {
			in.bodies = append(in.bodies, r.Offset()-len(body))
		}
	default:
		r.Skip()
	}
}

var errBody = errors.New("have ext where none is wanted")

// ReadByte gives the next byte, unless it is the first of an extension's body.
func (in *input) ReadByte() (byte, error) {
	if len(in.bodies) > 0 {
		if _, found := slices.BinarySearch(in.bodies, int(in.Size())-in.Len()); found {
			return 0, errBody
		}
	}
	return in.Reader.ReadByte()
}
