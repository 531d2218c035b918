package stemgen

import (
	"go/token"
	"strings"
	"testing"
)

// The words of a directive stand where it says that they stand, what is wrong with it is told at a place on its line, each word becomes an
// option or is told of, and words that are sound are read the same with a single blank between them.
func FuzzDirective(f *testing.F) {
	for _, seed := range []string{
		" name=demo.hello queue=default retries=3 timeout=30s rate=10/s", "\tbackoff=exp(1s, 5m)", ` name="a \"b\" c"`, " name=", " name", " // a note", " a=1, b=2",
		` name="a`, " backoff=exp(1s", " name=a name=b", " func=Enqueue", " timout=3s", " retries=-1 =x", ` name="\x1b"`, " x=)(",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\n\r") {
			return // it is one line
		}
		comment := directivePrefix + text
		pos := token.Position{Filename: "f.go", Line: 7, Column: 5}
		var rep report
		d := parseDirective(comment, pos, &rep)
		sound := rep.errors == 0
		at := func(column int) int { return column - pos.Column }
		for _, w := range d.words {
			if got := comment[at(w.pos.Column):][:len(w.text)]; got != w.text || w.pos.Line != pos.Line {
				t.Errorf("the word %q stands at %v, where there is %q", w.text, w.pos, got)
			}
		}
		told := rep.errors
		o := readOptions(d, &rep)
		for _, w := range d.words {
			if _, ok := o.Places[w.key]; !ok && rep.errors == told {
				t.Errorf("nobody hears of the word %q", w.text)
			}
		}
		for _, diagnostic := range rep.list {
			if i := at(diagnostic.Column); diagnostic.Line != pos.Line || i < 0 || i > len(comment) || diagnostic.Message == "" {
				t.Errorf("told at %d of %d bytes: %+v", i, len(comment), diagnostic)
			}
		}
		if !sound {
			return
		}
		var texts []string
		for _, w := range d.words {
			texts = append(texts, w.text)
		}
		var none report
		again := parseDirective(directivePrefix+" "+strings.Join(texts, " "), pos, &none)
		if len(again.words) != len(d.words) || none.errors > 0 {
			t.Fatalf("%q: got %d words again, want %d", texts, len(again.words), len(d.words))
		}
		for i, w := range again.words {
			if w.key != d.words[i].key || w.value != d.words[i].value || w.hasValue != d.words[i].hasValue {
				t.Errorf("got %+v again, want %+v", w, d.words[i])
			}
		}
	})
}
