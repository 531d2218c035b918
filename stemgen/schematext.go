package stemgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The text of a schema, which stem.lock keeps and of which the fingerprint is made:
//
//	type   = word | "?" type | "[" type "]" | "[" length ";" type "]"
//	       | "{" type "=>" type "}" | struct | "#" name
//	struct = "{" [ name ":" type { "," name ":" type } ] "}"
//	word   = name [ "(" name ")" ]
//	name   = letters, digits and any of _-./ | a string as Go quotes it
//
// A ? marks what may be nil. In a canonical text the fields of a struct stand in the
// order of their names, and #n refers to what the nth bracket or brace begins: to a
// struct that was written before, or to what lies around the reference. Go types that
// look the same on the wire are one there.

// text gives the canonical text. It is made once: the schema does not change any more.
func (s *schema) text() string {
	if s.canonical == "" {
		s.canonical = s.canonicalText()
	}
	return s.canonical
}

func (s *schema) canonicalText() string {
	class := classes(s.parts())
	numbers := make(map[int]int)
	count := 0
	var b strings.Builder
	var write func(*schema)
	write = func(s *schema) {
		c := class[s]
		if n, known := numbers[c]; known {
			b.WriteString("#" + strconv.Itoa(n))
			return
		}
		count++
		numbers[c] = count
		s.writeParts(&b, write)
		if s.form != structForm {
			delete(numbers, c) // it is as short as a reference
		}
	}
	s.write(&b, write)
	return b.String()
}

// labelled gives the text for people: what has a label goes by it.
func (s *schema) labelled() string {
	var b strings.Builder
	s.write(&b, labelWriter(&b))
	return b.String()
}

// labelWriter writes references to what has a label.
func labelWriter(b *strings.Builder) func(*schema) {
	var write func(*schema)
	write = func(s *schema) {
		if s.label != "" {
			b.WriteString("#" + quoteName(s.label))
			return
		}
		s.writeParts(b, write)
	}
	return write
}

// write writes a text. How what has parts is written is the caller's choice.
func (s *schema) write(b *strings.Builder, writeHolder func(*schema)) {
	switch s.form {
	case scalarForm:
		b.WriteString(s.word)
		if s.detail != "" {
			b.WriteString("(" + quoteName(s.detail) + ")")
		}
	case optionalForm:
		b.WriteByte('?')
		s.elem.write(b, writeHolder)
	default:
		writeHolder(s)
	}
}

// writeParts writes what a list, an array, a map or a struct is made of.
func (s *schema) writeParts(b *strings.Builder, writeHolder func(*schema)) {
	switch s.form {
	case listForm:
		b.WriteByte('[')
		s.elem.write(b, writeHolder)
		b.WriteByte(']')
	case fixedForm:
		fmt.Fprintf(b, "[%d;", s.length)
		s.elem.write(b, writeHolder)
		b.WriteByte(']')
	case entriesForm:
		b.WriteByte('{')
		s.key.write(b, writeHolder)
		b.WriteString("=>")
		s.elem.write(b, writeHolder)
		b.WriteByte('}')
	default:
		b.WriteByte('{')
		for i, f := range s.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteName(f.wire) + ":")
			f.schema.write(b, writeHolder)
		}
		b.WriteByte('}')
	}
}

// deepestValue is how deep a value may lie within others to travel. Types that differ
// further down look the same.
const deepestValue = 64

// classes parts types such that those which look the same on the wire have one number.
// They begin as one class; as long as two members of one differ in what they are made
// of, or in the class of that, it is split.
func classes(parts []*schema) map[*schema]int {
	class := make(map[*schema]int, len(parts))
	count := 1
	for range deepestValue {
		next := make(map[*schema]int, len(parts))
		numbers := make(map[string]int)
		for _, s := range parts {
			var b strings.Builder
			s.writeParts(&b, func(s *schema) { b.WriteString("#" + strconv.Itoa(class[s])) })
			if _, known := numbers[b.String()]; !known {
				numbers[b.String()] = len(numbers)
			}
			next[s] = numbers[b.String()]
		}
		class = next
		if len(numbers) == count {
			break
		}
		count = len(numbers)
	}
	return class
}

func isPlain(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./", r)
}

// quoteName gives a name as a text has it.
func quoteName(name string) string {
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !isPlain(r) }) < 0 {
		return name
	}
	return strconv.Quote(name)
}

// A schemaParser reads a text.
type schemaParser struct {
	rest  string
	depth int
	// refer gives what a reference leads to.
	refer func(name string) (*schema, error)
	// begun is what each bracket and each brace began.
	begun []*schema
}

// deepestText is how deep the types of a text may lie within each other. What is
// deeper was not written by us.
const deepestText = 1 << 16

// parseSchema reads a canonical text.
func parseSchema(text string) (*schema, error) {
	p := &schemaParser{rest: text}
	p.refer = func(name string) (*schema, error) {
		n, err := strconv.Atoi(name)
		if err != nil || n < 1 || n > len(p.begun) {
			return nil, fmt.Errorf("#%s refers to nothing", name)
		}
		return p.begun[n-1], nil
	}
	s, err := p.whole()
	if err == nil && s.text() != text {
		return nil, errors.New("it is not in its canonical form")
	}
	return s, err
}

// whole reads all of the text as one type.
func (p *schemaParser) whole() (*schema, error) {
	s, err := p.typ()
	if err == nil && p.rest != "" {
		return nil, p.unexpected("the end")
	}
	return s, err
}

func (p *schemaParser) unexpected(want string) error {
	if p.rest == "" {
		return fmt.Errorf("want %s, have the end", want)
	}
	return fmt.Errorf("want %s, have %q", want, p.rest[:min(len(p.rest), 20)])
}

func (p *schemaParser) accept(token string) (found bool) {
	p.rest, found = strings.CutPrefix(p.rest, token)
	return found
}

func (p *schemaParser) expect(token string) error {
	if !p.accept(token) {
		return p.unexpected(token)
	}
	return nil
}

func (p *schemaParser) typ() (*schema, error) {
	if p.depth++; p.depth > deepestText {
		return nil, errors.New("it is nested too deep")
	}
	defer func() { p.depth-- }()
	switch {
	case p.accept("?"):
		elem, err := p.typ()
		return &schema{form: optionalForm, elem: elem}, err
	case p.accept("["):
		return p.list()
	case p.accept("{"):
		return p.braces()
	case p.accept("#"):
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		return p.refer(name)
	}
	return p.scalar()
}

func (p *schemaParser) begin(s *schema) *schema {
	p.begun = append(p.begun, s)
	return s
}

func (p *schemaParser) list() (*schema, error) {
	s := p.begin(&schema{form: listForm})
	if digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789")); digits > 0 {
		n, err := strconv.ParseInt(p.rest[:digits], 10, 64)
		if err != nil {
			return nil, p.unexpected("a length")
		}
		s.form, s.length, p.rest = fixedForm, n, p.rest[digits:]
		if err := p.expect(";"); err != nil {
			return nil, err
		}
	}
	elem, err := p.typ()
	if err != nil {
		return nil, err
	}
	s.elem = elem
	return s, p.expect("]")
}

// braces reads what follows a brace: the fields of a struct, or a map. What comes
// before the colon is the name of a field; a map has none.
func (p *schemaParser) braces() (*schema, error) {
	from := p.rest
	if _, err := p.name(); err == nil && strings.HasPrefix(p.rest, ":") || strings.HasPrefix(from, "}") {
		p.rest = from
		s := p.begin(&schema{form: structForm})
		return s, p.fields(s)
	}
	p.rest = from
	s := p.begin(&schema{form: entriesForm})
	var err error
	if s.key, err = p.typ(); err != nil {
		return nil, err
	}
	if err = p.expect("=>"); err != nil {
		return nil, err
	}
	if s.elem, err = p.typ(); err != nil {
		return nil, err
	}
	return s, p.expect("}")
}

func (p *schemaParser) fields(s *schema) error {
	for !p.accept("}") {
		if len(s.fields) > 0 {
			if err := p.expect(","); err != nil {
				return err
			}
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		if err = p.expect(":"); err != nil {
			return err
		}
		if n := len(s.fields); n > 0 && s.fields[n-1].wire >= name {
			return fmt.Errorf("field %q is out of order", name)
		}
		value, err := p.typ()
		if err != nil {
			return err
		}
		s.fields = append(s.fields, schemaField{wire: name, schema: value})
	}
	return nil
}

func (p *schemaParser) scalar() (*schema, error) {
	word, err := p.name()
	if err != nil {
		return nil, p.unexpected("a type")
	}
	if !knownWord(word) {
		return nil, fmt.Errorf("there is no kind %q", word)
	}
	s := &schema{word: word}
	if !takesDetail(word) || word == "bytes" && !strings.HasPrefix(p.rest, "(") {
		return s, nil
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if s.detail, err = p.name(); err != nil {
		return nil, err
	}
	if _, err := strconv.ParseUint(s.detail, 10, 63); word == "bytes" && err != nil {
		return nil, fmt.Errorf("%q is not a length", s.detail)
	}
	return s, p.expect(")")
}

func (p *schemaParser) name() (string, error) {
	if quoted, err := strconv.QuotedPrefix(p.rest); err == nil && quoted[0] == '"' {
		p.rest = p.rest[len(quoted):]
		return strconv.Unquote(quoted)
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !isPlain(r) })
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		return "", p.unexpected("a name")
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name, nil
}
