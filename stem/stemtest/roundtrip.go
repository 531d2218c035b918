package stemtest

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// RoundTrip gives v as it is behind the wire, and fails the test if it is another there: what
// the codec leaves out, such as unexported fields and those tagged "-", and what it cannot keep,
// would be missing in production too. The codec is that of a definition (hello.Hello.ArgsCodec()),
// of a type (codec.For[Order]()), or any.
//
// Times are compared as instants. Types that say how they travel, by MarshalBinary say, and
// those with a method Equal are asked; of others all fields are compared, also unexported ones. A nil
// slice or map is the same as an empty one.
func RoundTrip[T any](t testing.TB, c codec.Codec[T], v T) T {
	t.Helper()
	payload := encode(t, fmt.Sprintf("a %T", v), c, v)
	var back T
	if err := c.Decode(payload, &back); err != nil {
		t.Fatalf("stemtest: a %T does not survive the wire: %v; it is %s", v, err, short(payload))
	}
	return back
}

// encode gives the bytes of a value that must come back as it was.
func encode[T any](t testing.TB, what string, c codec.Codec[T], v T) []byte {
	t.Helper()
	if c.Append == nil || c.Read == nil {
		t.Fatalf("stemtest: %s: the codec is zero: take that of a definition, or codec.For", what)
	}
	payload, err := c.Append(nil, &v)
	if err != nil {
		t.Fatalf("stemtest: %s cannot be encoded: %v", what, err)
	}
	var back T
	if err := c.Decode(payload, &back); err != nil {
		return payload // whoever reads it says so
	}
	survives(t, what, v, back)
	return payload
}

// survives fails the test where a value is another behind the wire.
func survives[T any](t testing.TB, what string, before, after T) {
	t.Helper()
	if diff := difference("", reflect.ValueOf(&before).Elem(), reflect.ValueOf(&after).Elem()); diff != "" {
		t.Errorf("stemtest: the wire changes %s: %s", what, diff)
	}
}

// difference tells the first place where two values of one type differ, or "".
func difference(path string, a, b reflect.Value) string {
	if same, asked := ask(a, b); asked {
		if same {
			return ""
		}
		return told(path, a, b)
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if diff := difference(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); diff != "" {
				return diff
			}
		}
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return told(path, a, b)
		}
		for i := range a.Len() {
			if diff := difference(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); diff != "" {
				return diff
			}
		}
	case reflect.Map:
		return differenceOfMaps(path, a, b)
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() != b.IsNil() {
			return told(path, a, b)
		}
		if !a.IsNil() {
			return difference(path, a.Elem(), b.Elem())
		}
	default:
		if !a.Equal(b) && !(a.CanFloat() && a.Float() != a.Float() && b.Float() != b.Float()) {
			return told(path, a, b)
		}
	}
	return ""
}

func differenceOfMaps(path string, a, b reflect.Value) string {
	if a.Len() != b.Len() {
		return told(path, a, b)
	}
	for _, key := range a.MapKeys() {
		at := fmt.Sprintf("%s[%v]", path, key)
		if other := b.MapIndex(key); !other.IsValid() {
			return fmt.Sprintf("%s is missing behind it", at)
		} else if diff := difference(at, a.MapIndex(key), other); diff != "" {
			return diff
		}
	}
	return ""
}

// ask lets types say themselves whether two of their values are the same. Those that say how they
// travel have bytes that are compared elsewhere.
func ask(a, b reflect.Value) (same, asked bool) {
	if !a.CanInterface() || a.Kind() == reflect.Pointer || a.Kind() == reflect.Interface {
		return false, false
	}
	if at, ok := a.Interface().(time.Time); ok {
		return at.Equal(b.Interface().(time.Time)), true
	}
	if equal := a.MethodByName("Equal"); equal.IsValid() {
		if t := equal.Type(); t.NumIn() == 1 && t.In(0) == a.Type() && t.NumOut() == 1 && t.Out(0).Kind() == reflect.Bool {
			return equal.Call([]reflect.Value{b})[0].Bool(), true
		}
	}
	return askBytes(reflect.New(a.Type()), a, b)
}

// askBytes compares what values say of themselves that say how they travel. Of those who say it to
// MessagePack alone nobody here understands the bytes.
func askBytes(copied, a, b reflect.Value) (same, asked bool) {
	bytesOf := func(v reflect.Value) (data []byte, err error, ok bool) {
		copied.Elem().Set(v)
		switch v := copied.Interface().(type) {
		case encoding.BinaryMarshaler:
			data, err = v.MarshalBinary()
		case encoding.TextMarshaler:
			data, err = v.MarshalText()
		default:
			return nil, nil, false
		}
		return data, err, true
	}
	before, err, ok := bytesOf(a)
	if !ok {
		return true, isCustom(copied.Type())
	}
	after, errAfter, _ := bytesOf(b)
	return err == nil && errAfter == nil && bytes.Equal(before, after), true
}

// isCustom tells whether a type says itself how it travels in MessagePack.
func isCustom(t reflect.Type) bool {
	_, encodes := t.MethodByName("EncodeMsgpack")
	_, marshals := t.MethodByName("MarshalMsgpack")
	return encodes || marshals
}

// told says what stood at a place, and what stands there now.
func told(path string, a, b reflect.Value) string {
	if path == "" {
		path = "it"
	}
	return fmt.Sprintf("%s is %#v, behind it %#v", path, a, b)
}
