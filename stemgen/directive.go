package stemgen

import (
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gostem/gostem/internal/nearest"
)

// The directives. What follows the first on its line are the task's options; nothing
// follows the second.
const (
	directiveStart  = "//stem:"
	directivePrefix = directiveStart + "task"
	codecDirective  = directiveStart + "codec"
)

// directiveNames are the words that make a directive.
var directiveNames = []string{"task", "codec"}

// A directive is one //stem:task line, taken apart into words, not yet judged.
type directive struct {
	pos   token.Position // of the comment
	words []word
}

// A word of a directive is key=value, or, where a value is missing, key alone.
type word struct {
	text     string // as it was written
	key      string
	value    string // without its quotes
	hasValue bool
	pos      token.Position
	valuePos token.Position
}

// parseDirective takes a comment apart that begins with directivePrefix. Words that
// it cannot take apart are reported and left out.
func parseDirective(comment string, pos token.Position, rep *report) directive {
	d := directive{pos: pos}
	for i := len(directivePrefix); i < len(comment); {
		if comment[i] == ' ' || comment[i] == '\t' {
			i++
			continue
		}
		text, problem := cutWord(comment[i:])
		at := column(pos, i)
		switch w, ok := splitWord(text, at); {
		case problem != "":
			rep.errorf(at, CodeMalformed, problem, "%s is not closed", text)
		case strings.HasPrefix(text, "//"), strings.HasPrefix(text, "/*"):
			rep.errorf(at, CodeMalformed, "put the note on a line of its own", "only options may follow %s on its line", directivePrefix)
			return d
		case strings.HasSuffix(text, ","):
			rep.errorf(column(at, len(text)-1), CodeMalformed, "remove the comma", "options are parted by spaces")
		case !ok:
			rep.errorf(w.valuePos, CodeMalformed, `write it as "…", with \" for a quote inside`, "%s is not a quoted text", text)
		default:
			d.words = append(d.words, w)
		}
		i += len(text)
	}
	return d
}

// cutWord gives the word at the beginning of s: it ends at the first blank outside
// quotes and parentheses. Where one of these is never closed, the word is the rest
// of the line, and problem says what to do.
func cutWord(s string) (text, problem string) {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case (c == ' ' || c == '\t') && depth <= 0:
			return s[:i], ""
		}
	}
	s = strings.TrimRight(s, " \t")
	switch {
	case quoted:
		return s, `close the text with a "`
	case depth > 0:
		return s, "close the parenthesis with a )"
	}
	return s, ""
}

// splitWord tells key from value. It fails where the value begins like a quoted
// text and is none.
func splitWord(text string, pos token.Position) (word, bool) {
	key, value, found := strings.Cut(text, "=")
	w := word{text: text, key: key, value: value, hasValue: found && value != "", pos: pos, valuePos: pos}
	if !found {
		return w, true
	}
	w.valuePos = column(pos, len(key)+1)
	if strings.HasPrefix(value, `"`) {
		unquoted, err := strconv.Unquote(value)
		w.value = unquoted
		return w, err == nil
	}
	return w, !strings.Contains(value, `"`)
}

// within gives the place n bytes into the value, as long as that is written as it is
// meant; into one with escapes, it gives the value's beginning.
func (w word) within(n int) token.Position {
	switch w.text[len(w.key)+1:] {
	case w.value:
		return column(w.valuePos, n)
	case `"` + w.value + `"`:
		return column(w.valuePos, n+1)
	}
	return w.valuePos
}

// column gives the place n bytes further on in the line.
func column(pos token.Position, n int) token.Position {
	pos.Column += n
	pos.Offset += n
	return pos
}

// What a comment is to stemgen.
type commentKind int

const (
	notDirective     commentKind = iota
	onFunction                   // //stem:task
	onType                       // //stem:codec
	unknownDirective             // //stem: and another word
	nearDirective                // something that a person may take for //stem:task
)

var (
	directiveForm = regexp.MustCompile(`^//stem:([A-Za-z0-9_-]*)(.?)`)
	nearForm      = regexp.MustCompile(`^(//|/\*)([ \t]*)([sS][tT][eE][mM])([:.])([ \t]*)([A-Za-z]+)`)
)

// classify tells what a comment is. For what is no directive, reason says why.
func classify(comment string) (kind commentKind, reason string) {
	if m := directiveForm.FindStringSubmatch(comment); m != nil && m[1] != "" {
		switch word, next := m[1], m[2]; {
		case !slices.Contains(directiveNames, word):
			return unknownDirective, "unknown directive //stem:" + word
		case next != "" && next != " " && next != "\t":
			return unknownDirective, "no " + next + " may follow //stem:" + word
		case word == "codec":
			return onType, ""
		default:
			return onFunction, ""
		}
	}
	m := nearForm.FindStringSubmatch(comment)
	switch {
	case m == nil && strings.HasPrefix(comment, "//stem:"):
		return unknownDirective, "a directive without a word"
	case m == nil || nearest.To(m[6], directiveNames) == "":
		return notDirective, ""
	}
	marker, before, stem, sign, after, word := m[1], m[2], m[3], m[4], m[5], m[6]
	if before != "" && (after != "" || sign == ".") || sign == "." && !slices.Contains(directiveNames, word) {
		return notDirective, "" // prose: `// Stem: tasks run …`, `// stem.Task is …`
	}
	switch {
	case marker == "/*":
		reason = "a directive is a // comment"
	case before != "":
		reason = "no space may follow the //"
	case sign == ".":
		reason = "a colon stands between stem and " + word
	case after != "":
		reason = "no space may follow the colon"
	case stem != "stem":
		reason = "stem is written in small letters"
	}
	return nearDirective, "this looks like a directive, but " + reason
}

// suggestDirective says what to write for a directive that does not exist.
func suggestDirective(comment string) string {
	word := directiveForm.FindStringSubmatch(comment)[1]
	switch guess := nearest.To(word, directiveNames); {
	case guess != "" && guess != word:
		return "did you mean " + directiveStart + guess + "?"
	case guess == "codec":
		return "write " + codecDirective
	}
	return "write " + directivePrefix + ", and after a space its options"
}

// canonical gives the directive that a near miss was meant to be.
func canonical(comment string) string {
	m := nearForm.FindStringSubmatch(comment)
	rest := strings.TrimSpace(strings.TrimSuffix(comment[len(m[0]):], "*/"))
	return strings.TrimSpace(directiveStart + nearest.To(m[6], directiveNames) + " " + rest)
}
