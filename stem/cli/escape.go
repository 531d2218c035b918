package cli

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape gives a text as a terminal may show it, on one line: what would move the cursor, change its
// colour or turn the direction of writing is written as Go would write it in a string.
func escape(text string) string {
	if strings.IndexFunc(text, unsafeRune) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[0])|0x100, 16)[1:])
		case unsafeRune(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// escapeLines is escape for what has lines of its own, such as a help or the errors of many.
func escapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.ReplaceAll(escape(strings.ReplaceAll(lines[i], "\t", "        ")), "\t", " ")
	}
	return strings.Join(lines, "\n")
}

// unsafeRune reports whether a rune does something to a terminal or a reader beside being seen: control characters,
// separators of lines, and all that is invisible and steers (joiners, marks and overrides of direction, tags).
func unsafeRune(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
