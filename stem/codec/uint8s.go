package codec

import "errors"

// Numbers of one byte under a name of their own travel as bin, as bytes do.

// AppendUint8s appends v as bin, or nil where v is nil. It must be shorter than 4 GiB.
func AppendUint8s[E ~uint8](b []byte, v []E) []byte {
	if v == nil {
		return AppendNil(b)
	}
	b = appendBinLen(b, len(v))
	for _, e := range v {
		b = append(b, byte(e))
	}
	return b
}

// ReadUint8s reads a bin, or a str, into a slice of its own. It is nil for a nil.
func ReadUint8s[S ~[]E, E ~uint8](r *Reader, v *S) {
	view := r.view(Bin)
	if view == nil {
		*v = nil
		return
	}
	s := make(S, len(view))
	for i, c := range view {
		s[i] = E(c)
	}
	*v = s
}

// ReadUint8sInto reads a bin, or a str, into dst as [Reader.BytesInto] does.
func ReadUint8sInto[E ~uint8](r *Reader, dst []E) {
	off := r.off
	view := r.view(Bin)
	if len(view) > len(dst) {
		r.fail(off, errTooManyBytes)
		return
	}
	clear(dst[len(view):])
	for i, c := range view {
		dst[i] = E(c)
	}
}

var errTooManyBytes = errors.New("more bytes than the Go array holds")
