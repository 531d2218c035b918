package ops

import (
	"encoding/base64"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gostem/gostem/stem/codec"
)

func (s *shower) textOrBytes(p place, room int) {
	bin := s.r.Kind() == codec.Bin
	view := s.r.View()
	switch {
	case p.isText(base64Text):
		s.bytes(view, "", room)
	case bin && !p.is(textKind):
		s.bytes(view, `{`, room)
	default:
		s.text(view, room)
	}
}

// text shows a text, or as much of it as there is room for.
func (s *shower) text(v []byte, room int) {
	room = min(room, s.mostText)
	from := len(s.out)
	if utf8.Valid(v) {
		if s.quote(v, room) == len(v) {
			return
		}
		s.out = append(s.out[:from], `{"$cut":`...)
	} else {
		s.raw(`{"$not-utf8":`)
	}
	shown := s.quote(v, room-(len(s.out)-from)-cutRoom)
	s.endCut(len(v) - shown)
}

// bytes shows bytes as base64, in an object where head begins one or where they are cut short.
func (s *shower) bytes(v []byte, head string, room int) {
	room = min(room, s.mostText)
	from := len(s.out)
	if whole := base64.StdEncoding.EncodedLen(len(v)) + len(`""`); head == "" && whole <= room {
		s.base64(v)
		return
	} else if head == "" {
		head = "{"
	}
	s.raw(head + `"$base64":`)
	fit := (room - (len(s.out) - from) - cutRoom - len(`""`)) / 4 * 3
	shown := min(len(v), fit)
	s.base64(v[:shown])
	s.endCut(len(v) - shown)
}

func (s *shower) base64(v []byte) {
	s.out = append(base64.StdEncoding.AppendEncode(append(s.out, '"'), v), '"')
}

// endCut ends the object of a text or of bytes.
func (s *shower) endCut(left int) {
	if left > 0 {
		s.cut = true
		s.raw(`,"$left":"` + strconv.Itoa(left) + ` bytes"`)
	}
	s.raw("}")
}

// left stands for what there is no room for.
func (s *shower) left(what string) {
	s.cut = true
	s.raw(`{"$left":"` + what + `"}`)
}

// quoted shows the whole of a text that is known to be short.
func (s *shower) quoted(text string) { s.quote([]byte(text), len(`""`)+longestRune*len(text)) }

// longestRune is the most bytes that a byte of a text becomes: \u0000.
const longestRune = 6

// quote shows as much of a text as goes into room bytes of a JSON string, and tells how much that was. What does not print, and
// could play tricks on a terminal, is escaped; where the text is no UTF-8, there is U+FFFD.
func (s *shower) quote(v []byte, room int) int {
	end := room - len(`"`) + len(s.out)
	s.out = append(s.out, '"')
	taken := 0
	for taken < len(v) {
		from := len(s.out)
		r, size := utf8.DecodeRune(v[taken:])
		if s.out = appendRune(s.out, r); len(s.out) > end {
			s.out = s.out[:from]
			break
		}
		taken += size
	}
	s.out = append(s.out, '"')
	return taken
}

func appendRune(b []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(b, '\\', byte(r))
	case r == '\n':
		return append(b, `\n`...)
	case r == '\t':
		return append(b, `\t`...)
	case unicode.IsPrint(r):
		return utf8.AppendRune(b, r)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendEscape(appendEscape(b, high), low)
	}
	return appendEscape(b, r)
}

func appendEscape(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
