package ops

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// What is held back so that every list and object can be ended, and everything shown in some way, however little
// room there is.
const (
	leastRoom = 64 // the fewest bytes for a value: each that has no length fits, and so does a $left
	tailRoom  = 50 // the $left of a list or an object, its comma and the bracket
	cutRoom   = 32 // the $left of a text, its comma and the bracket
)

// masked stands for a value that is not to be seen.
const masked = `"•••"`

// show is Form.JSON.
func show(root place, payload []byte, v View) json.RawMessage {
	limit := v.Limit
	if limit == 0 {
		limit = DefaultView
	}
	limit = max(limit, LeastView)
	if len(payload) == 0 {
		return json.RawMessage("null")
	}
	s := shower{r: codec.NewReader(payload), mask: v.Mask, mostText: limit}
	if err := codec.Valid(payload); err != nil {
		s.malformed(payload, err, limit)
		return s.out
	}
	if s.value(root, limit); s.cut {
		s = shower{r: codec.NewReader(payload), mask: v.Mask, mostText: limit / 8}
		s.value(root, limit)
	}
	return s.out
}

// shower appends what a reader reads to out. The payload is valid: no read fails.
type shower struct {
	r        codec.Reader
	out      []byte
	mask     []string
	mostText int
	// cut tells that something was left out, masked that something was masked.
	cut, masked bool
}

// value shows the next value in at most room bytes, which are leastRoom or more.
func (s *shower) value(p place, room int) {
	if p.isText(wireText) {
		s.wire(room)
		return
	}
	switch s.r.Kind() {
	case codec.Nil:
		s.r.Nil()
		s.raw("null")
	case codec.Bool:
		s.out = strconv.AppendBool(s.out, s.r.Bool())
	case codec.Int:
		s.integer(p)
	case codec.Float:
		s.float(p)
	case codec.Str, codec.Bin:
		s.textOrBytes(p, room)
	case codec.Array:
		s.list(p, room)
	case codec.Map:
		s.object(p, room)
	default:
		s.extension(p, room)
	}
}

func (s *shower) raw(text string) { s.out = append(s.out, text...) }

func (s *shower) integer(p place) {
	if r := s.r; p.isText(durationText) {
		if d := r.Duration(); !r.Failed() {
			s.r = r
			s.quoted(d.String())
			return
		}
	}
	s.raw(integerDigits(s.r.RawView()))
}

// integerDigits gives an encoded int with all its digits.
func integerDigits(encoded []byte) string {
	r := codec.NewReader(encoded)
	if v := r.Int64(); !r.Failed() {
		return strconv.FormatInt(v, 10)
	}
	r.Reset(encoded)
	return strconv.FormatUint(r.Uint64(), 10)
}

func (s *shower) float(p place) {
	v, bits := floatOf(s.r.RawView())
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		s.raw(`{"$float":`)
		s.quoted(strconv.FormatFloat(v, 'g', -1, 64))
		s.raw("}")
		return
	case p.is(numberKind) && p.single && float64(float32(v)) == v:
		bits = 32
	case p.is(numberKind):
		bits = 64
	}
	s.out = strconv.AppendFloat(s.out, v, 'g', -1, bits)
}

// floatOf gives an encoded float and how many bits it has.
func floatOf(encoded []byte) (v float64, bits int) {
	r := codec.NewReader(encoded)
	if v = r.Float64(); len(encoded) == 5 {
		return v, 32
	}
	return v, 64
}

// wire shows a value that is bytes to all but its own type. Where something in it is masked, it cannot be shown as
// bytes; what does not fit may hide such a thing.
func (s *shower) wire(room int) {
	encoded := s.r.RawView()
	if len(s.mask) == 0 {
		s.bytes(encoded, "", room)
		return
	}
	const head = `{"$msgpack":`
	inner := shower{r: codec.NewReader(encoded), mask: s.mask, mostText: s.mostText, out: append(s.out, head...)}
	if inner.value(place{}, max(room-len(head)-1, leastRoom)); !inner.masked && !inner.cut {
		s.bytes(encoded, "", room)
		return
	}
	if len(inner.out)+1-len(s.out) > room {
		s.left(fmt.Sprintf("%d bytes", len(encoded)))
		return
	}
	s.out, s.cut, s.masked = append(inner.out, '}'), s.cut || inner.cut, true
}

// extension shows a time, or what only its sender understands.
func (s *shower) extension(p place, room int) {
	encoded := s.r.RawView()
	r := codec.NewReader(encoded)
	if t := r.Time(); !r.Failed() {
		s.time(t, p)
		return
	}
	r.Reset(encoded)
	id, data := r.Ext()
	s.bytes(data, `{"$ext":`+strconv.Itoa(int(id))+`,`, room)
}

func (s *shower) time(t time.Time, p place) {
	text := t.Format(time.RFC3339Nano)
	if p.isText(timeText) && t.Year() >= 0 && t.Year() <= 9999 {
		s.quoted(text)
		return
	}
	s.raw(`{"$time":`)
	s.quoted(text)
	s.raw("}")
}

func (s *shower) list(p place, room int) {
	var items place
	if p.is(listKind) {
		items = p.items
	}
	end := len(s.out) + room - tailRoom
	s.raw("[")
	n := s.r.EnterArray()
	for i := range n {
		if i > 0 {
			s.raw(",")
		}
		room := end - len(s.out)
		if room < leastRoom {
			s.left(fmt.Sprintf("%d of %d elements", n-i, n))
			s.skip(n - i)
			break
		}
		s.value(items, room)
	}
	s.r.Leave()
	s.raw("]")
}

func (s *shower) object(p place, room int) {
	end := len(s.out) + room - tailRoom
	s.raw("{")
	n := s.r.EnterMap()
	for i := range n {
		if i > 0 {
			s.raw(",")
		}
		from := len(s.out)
		name, fits := s.key(p, end-from)
		room := end - len(s.out) - len(":")
		if !fits || room < leastRoom {
			s.out = append(s.out[:from], fmt.Sprintf(`"$left":"%d of %d entries"`, n-i, n)...)
			s.cut = true
			s.skip(2*(n-i) - 1)
			break
		}
		s.raw(":")
		if masks(s.mask, name) {
			s.r.Skip()
			s.raw(masked)
			s.masked = true
			continue
		}
		s.value(p.under(name), room)
	}
	s.r.Leave()
	s.raw("}")
}

// key shows the next key in at most room bytes; fits tells whether it went in.
func (s *shower) key(p place, room int) (name string, fits bool) {
	switch s.r.Kind() {
	case codec.Int:
		name = integerDigits(s.r.RawView())
	case codec.Bool:
		name = strconv.FormatBool(s.r.Bool())
	case codec.Str, codec.Bin:
		bin := s.r.Kind() == codec.Bin
		view := s.r.Key()
		if bin && !p.is(objectKind) || p.is(objectKind) && p.keys.kind == base64Key {
			if base64.StdEncoding.EncodedLen(len(view)) > room {
				return "", false
			}
			name = base64.StdEncoding.EncodeToString(view)
			break
		}
		return string(view), s.quote(view, room) == len(view)
	default: // nobody's program has such keys
		name = base64.StdEncoding.EncodeToString(s.r.RawView()[:])
	}
	return name, s.quote([]byte(name), room) == len(name)
}

// masks tells whether a mask has the name, so that what stands under that is not to be seen.
func masks(mask []string, name string) bool {
	return slices.ContainsFunc(mask, func(m string) bool { return strings.EqualFold(m, name) })
}

// skip passes over n values.
func (s *shower) skip(n int) {
	for range n {
		s.r.Skip()
	}
}

// malformed shows a payload that is not one value.
func (s *shower) malformed(payload []byte, err error, room int) {
	s.raw(`{"$malformed":`)
	s.quoted(err.Error())
	s.bytes(payload, ",", room-len(s.out))
}
