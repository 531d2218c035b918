package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// marshal gives a view as JSON on one line. Runes that a terminal would obey are written as \u and their number,
// which is the same JSON.
func marshal(view any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(view); err != nil {
		return nil, err
	}
	return escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// escapeJSON rewrites unsafe runes of JSON without line breaks: they can stand only within strings.
func escapeJSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, unsafeRune) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case !unsafeRune(r):
			out = append(out, text[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out
}

// indentJSON writes JSON for people.
func indentJSON(line []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil { // it was made by marshal
		panic(err)
	}
	return b.Bytes()
}

// writeYAML writes JSON as YAML in blocks. Strings that are more than a plain word stay as JSON has them, which YAML
// reads the same: no other way of writing them is as safe from what a store may hold.
func writeYAML(w io.Writer, line []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	y := yamlWriter{in: decoder}
	y.value(0, "")
	_, err := io.WriteString(w, strings.TrimPrefix(y.out.String(), "\n")+"\n")
	return err
}

// yamlWriter goes through the tokens of JSON that marshal has made.
type yamlWriter struct {
	in  *json.Decoder
	out strings.Builder
}

func (y *yamlWriter) token() json.Token {
	token, err := y.in.Token()
	if err != nil {
		panic(err)
	}
	return token
}

// value writes the next value. What has lines of its own begins on a new one, at an indent, unless it follows
// the dash of a list.
func (y *yamlWriter) value(indent int, lead string) {
	switch token := y.token(); token {
	case json.Delim('{'):
		y.members(indent, lead, "{}", func() {
			y.out.WriteString(yamlString(y.token().(string)) + ":")
			y.value(indent+1, " ")
		})
	case json.Delim('['):
		y.members(indent, lead, "[]", func() {
			y.out.WriteString("-")
			y.value(indent+1, " ")
		})
	case nil:
		y.out.WriteString(lead + "null")
	default:
		if text, ok := token.(string); ok {
			y.out.WriteString(lead + yamlString(text))
			return
		}
		y.out.WriteString(lead + fmt.Sprint(token))
	}
}

// members writes what stands between two delimiters, each on its line.
func (y *yamlWriter) members(indent int, lead, empty string, member func()) {
	if !y.in.More() {
		y.out.WriteString(lead + empty)
		y.token()
		return
	}
	for first := true; y.in.More(); first = false {
		afterDash := first && strings.HasSuffix(y.out.String(), "-")
		if afterDash {
			y.out.WriteString(" ")
		} else {
			y.out.WriteString("\n" + strings.Repeat("  ", indent))
		}
		member()
	}
	y.token()
}

// plainYAML is what no reader of YAML takes for anything but a string, but for the words of wordYAML.
var (
	plainYAML = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@-]+)*$`)
	wordYAML  = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
)

func yamlString(text string) string {
	if plainYAML.MatchString(text) && !wordYAML.MatchString(text) {
		return text
	}
	quoted, err := marshal(text)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return string(quoted)
}
