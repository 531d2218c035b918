package codec

import (
	"errors"
)

// Skip reads one value of any kind, with all that it holds, and forgets it. It does
// not recurse and does not allocate.
func (r *Reader) Skip() {
	// left[d] counts the values still to come at depth d below the first one.
	var left [MaxDepth + 1]int
	left[0] = 1
	for d := 0; d >= 0; {
		if left[d] == 0 {
			if d > 0 {
				r.Leave()
			}
			d--
			continue
		}
		left[d]--
		n := 0
		switch r.Kind() {
		case Nil, Bool:
			r.off++
		case Int:
			r.integer()
		case Float:
			r.Float64()
		case Str, Bin:
			r.View()
		case Ext:
			r.Ext()
		case Array:
			n = r.EnterArray()
			d++
			left[d] = n
		case Map:
			n = r.EnterMap()
			d++
			left[d] = 2 * n
		default:
			r.failWant("value")
		}
		if r.Failed() {
			return
		}
	}
}

// RawView reads one value of any kind, with all that it holds, and returns its
// encoding as a view of the input, good for as long as the input is left unchanged.
// It is nil after a failure.
func (r *Reader) RawView() []byte {
	from := r.off
	r.Skip()
	if r.Failed() {
		return nil
	}
	return r.data[from:r.off:r.off]
}

// Raw is RawView with a copy that may be kept.
func (r *Reader) Raw() Raw {
	view := r.RawView()
	if view == nil {
		return nil
	}
	return append(make(Raw, 0, len(view)), view...)
}

// Valid tells whether b is exactly one well-formed value that a [Reader] would not
// refuse for its depth or its lengths.
func Valid(b []byte) error {
	if len(b) == 0 {
		return errors.New("empty")
	}
	r := NewReader(b)
	r.Skip()
	return r.Finish()
}
