package codec

import (
	"errors"
	"strconv"
)

// An Error tells where in an encoded value a [Reader] stopped, and why. It never
// holds a value of the payload, only names of fields and positions.
type Error struct {
	// Path leads to the value, such as "Items[2].price_cents": fields by their
	// names on the wire, elements of arrays and entries of maps by their position.
	// It is empty where the outermost value is at fault.
	Path string
	// Offset is the number of bytes before the value at fault; for one that came
	// whole but was refused (see [Reader.Fail]), the number up to its end.
	Offset int
	// Err says what is wrong there.
	Err error
}

// Error gives a text such as
// "Items[2].price_cents: want int, have str at offset 211".
func (e *Error) Error() string {
	text := e.Err.Error() + " at offset " + strconv.Itoa(e.Offset)
	if e.Path == "" {
		return text
	}
	return e.Path + ": " + text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Fail records that the value just read is no good, for instance because the
// unmarshaler of its type refused it. The first failure stays. A nil err is
// ignored.
func (r *Reader) Fail(err error) {
	if err != nil {
		r.fail(r.off, err)
	}
}

// FailUnread records that a decoder of the user's left n bytes of its value unread. It
// does nothing where n is 0.
func (r *Reader) FailUnread(n int) {
	if n > 0 {
		r.fail(r.off, errors.New(strconv.Itoa(n)+" bytes that the type's decoder left unread"))
	}
}

// InField adds the field that was being read to the path of the failure. Generated
// code calls it on its way out, after [Reader.Failed] said true; key is what
// [Reader.Key] returned. It does nothing where nothing failed, or where it was the
// key that failed.
func (r *Reader) InField(key []byte) {
	if r.err != nil && key != nil {
		r.err.prepend(fieldName(key))
	}
}

// InIndex adds the position of the array's element or the map's entry that was
// being read to the path of the failure. (An entry goes by position because its
// key is part of the payload.) It does nothing where nothing failed.
func (r *Reader) InIndex(i int) {
	if r.err != nil {
		r.err.prepend("[" + strconv.Itoa(i) + "]")
	}
}

// prepend puts one step before the path.
func (e *Error) prepend(step string) {
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	e.Path = step + e.Path
}

// fieldName gives key as it stands in a path. A key that no program would choose
// comes quoted and cut short, because unknown keys are the sender's.
func fieldName(key []byte) string {
	const longest = 64
	plain := len(key) > 0 && len(key) <= longest
	for _, c := range key {
		plain = plain && c > ' ' && c < 0x7f && c != '"'
	}
	if plain {
		return string(key)
	}
	return strconv.Quote(string(key[:min(len(key), longest)]))
}

// fail records the first failure and empties the reader: every later read finds
// no byte left, so no read has to ask whether an earlier one failed.
func (r *Reader) fail(off int, err error) {
	if r.err == nil {
		r.err = &Error{Offset: off, Err: err}
	}
	r.off = len(r.data)
}

// failWant fails because something else than want comes next.
func (r *Reader) failWant(want string) {
	have := r.Kind()
	text := have.String()
	if have != Invalid && r.off+headerSize(r.data[r.off:]) > len(r.data) {
		text += " cut short"
	}
	r.fail(r.off, errors.New("want "+want+", have "+text))
}

// failRange fails because the number at off does not fit the Go type want.
func (r *Reader) failRange(off int, want string) {
	r.fail(off, errors.New("want "+want+", have "+kindOf(r.data[off]).String()+" out of range"))
}

// failShort fails because what comes next announces n things, such as "bytes", which
// cannot all be among the left bytes after its header.
func (r *Reader) failShort(n int, things string, left int) {
	r.fail(r.off, errors.New(r.Kind().String()+" of "+strconv.Itoa(n)+" "+things+
		" with "+strconv.Itoa(max(left, 0))+" bytes left"))
}
