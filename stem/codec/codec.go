package codec

// A Codec carries values of type T over the wire. Generated code declares one per
// task argument and result; package reflectcodec makes one for any type. It may be
// used by several goroutines at once.
type Codec[T any] struct {
	// Append appends the encoding of *v to b, or makes a buffer that fits where b is
	// nil. It fails where a marshaler of the user's does, or with [ErrTooDeep]; what
	// it returns beside the error is of no use then. It does not keep v.
	Append func(b []byte, v *T) ([]byte, error)
	// Read reads one value into *v, which is zero before. It reports failure
	// through the Reader alone, and keeps neither r nor any view of its input.
	Read func(r *Reader, v *T)
}

// Decode reads *v, which is zero before, from data, which holds exactly one value.
// After an error, which is an [*Error], *v holds what was read until then.
func (c Codec[T]) Decode(data []byte, v *T) error {
	r := NewReader(data)
	c.Read(&r, v)
	return r.Finish()
}

// Raw is one encoded value, carried as it is. The zero Raw stands for nil.
type Raw []byte

// RawCodec returns the Codec of values that are encoded already. It refuses bytes
// that are not exactly one well-formed value.
func RawCodec() Codec[Raw] {
	return Codec[Raw]{Append: appendRaw, Read: readRaw}
}

func appendRaw(b []byte, v *Raw) ([]byte, error) {
	if len(*v) == 0 {
		return AppendNil(b), nil
	}
	return AppendRaw(b, *v, 1)
}

func readRaw(r *Reader, v *Raw) { *v = r.Raw() }
