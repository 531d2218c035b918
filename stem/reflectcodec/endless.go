package reflectcodec

import "reflect"

// endless tells whether v, which lies depth steps below the outermost value, goes deeper
// than any value that can be read again: it may well hold itself. It has to be asked
// before v is encoded, because vmihailenco/msgpack would recurse until the stack ends,
// and with it the process.
func endless(v reflect.Value, depth int) bool {
	const tooDeep = 1000 // steps, of which pointers and interfaces are some
	if depth > tooDeep {
		return true
	}
	if !nests(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && endless(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if endless(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if endless(it.Value(), depth+1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if travels(v.Type().Field(i)) && endless(v.Field(i), depth+1) {
				return true
			}
		}
	}
	return false
}

// nests tells whether vmihailenco/msgpack goes on to values within a value of type t
// that may nest in their turn. ([]byte does not: it may be long.)
func nests(t reflect.Type) bool {
	if carriesItself(t) {
		return false
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return !scalar(t.Elem().Kind())
	default:
		return !scalar(t.Kind())
	}
}

func scalar(k reflect.Kind) bool { return k <= reflect.Complex128 || k == reflect.String }
