package codec

// Skip reads one value of any kind, with all that it holds, and forgets it. It does
// not recurse and does not allocate.
func (r *Reader) Skip() {
	if n, entered := r.step(); entered {
		r.skipInside(n)
	}
}

// skipInside reads n values and leaves the array or map that they lie in.
func (r *Reader) skipInside(n int) {
	var left [MaxDepth]int // values still to come, by depth
	left[0] = n
	for d := 0; d >= 0 && !r.Failed(); {
		if left[d] == 0 {
			r.Leave()
			d--
			continue
		}
		left[d]--
		if n, entered := r.step(); entered {
			d++ // below MaxDepth, else the Reader had refused to enter
			left[d] = n
		}
	}
}

// step reads one value, or enters an array or a map that holds n values.
func (r *Reader) step() (n int, entered bool) {
	switch r.Kind() {
	case Array:
		n = r.EnterArray()
		return n, !r.Failed()
	case Map:
		n = 2 * r.EnterMap()
		return n, !r.Failed()
	case Str, Bin:
		r.View()
	case Int:
		r.integer()
	case Nil, Bool:
		r.off++
	case Float:
		r.Float64()
	case Ext:
		r.Ext()
	default:
		r.failWant("value")
	}
	return 0, false
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

// Valid returns nil if b is exactly one value, well formed and no deeper than
// [MaxDepth]; else an [*Error] that says where it is not.
func Valid(b []byte) error { return ValidAt(b, 1) }

// ValidAt is [Valid] for a value that lies within others: depth is 1 for the outermost,
// and one more for each array or map around it.
func ValidAt(b []byte, depth int) error {
	r := NewReader(b)
	r.depth = depth - 1
	r.Skip()
	return r.Finish()
}
