package stemgen

import (
	"fmt"
	"strings"
	"testing"
)

// schemaTexts are texts of schemas, with the rules that they show.
var schemaTexts = map[string]string{
	"a scalar":                                "int64",
	"nothing":                                 "none",
	"bytes of a length":                       "bytes(16)",
	"what a type of its own writes":           `custom(example.com/a-b/c.T_1)`,
	"what a generic type writes":              `custom("example.com/c.T,Int")`,
	"what is encoded already":                 "{string=>any}",
	"what may be nil":                         "?string",
	"a list":                                  "[?int64]",
	"an array":                                "[3;[bool]]",
	"a map":                                   "{string=>{int8=>time}}",
	"a struct without fields":                 "{}",
	"a struct":                                "{A:int64,b_c:text,d-e:{}}",
	"names that are no words":                 `{"":bool,"a b":bool,"x:\"y\"":bool,"\xff":bool}`,
	"a struct that holds itself":              "{Left:?#1,Right:?#1}",
	"a struct that is written once":           "{A:{N:int8},B:[#2]}",
	"a reference that counts lists too":       "{A:[{N:int8}],B:#3}",
	"a list that holds itself":                "[#1]",
	"a list in a struct that lies around it":  "{Kids:[#1]}",
	"a list is written again":                 "{A:[int8],B:[int8]}",
	"a list that holds itself is written too": "{A:[#2],B:[#3]}",
	"a map that holds itself":                 "{string=>#1}",
}

func TestSchemaTextIsReadBack(t *testing.T) {
	for rule, text := range schemaTexts {
		s, err := parseSchema(text)
		if err != nil {
			t.Errorf("%s: %s: %s", rule, text, err)
		} else if got := s.text(); got != text {
			t.Errorf("%s: got %s, want %s", rule, got, text)
		}
	}
}

func TestParseSchemaRefusesWhatNobodyWrote(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "want a type, have the end"},
		{"int", `there is no kind "int"`},
		{"int64 ", `want the end, have " "`},
		{"int64(8)", `want the end, have "(8)"`},
		{"custom", "want (, have the end"},
		{"bytes(x)", `"x" is not a length`},
		{"bytes(1", "want ), have the end"},
		{"[int64", "want ], have the end"},
		{"[99999999999999999999;bool]", `want a length, have "99999999999999999999"`},
		{"[03;bool]", "it is not in its canonical form"},
		{"{string=>bool", "want }, have the end"},
		{"{string>bool}", `want =>, have ">bool}"`},
		{"{A:bool", "want ,, have the end"},
		{"{B:bool,A:bool}", `field "A" is out of order`},
		{"{A:bool,A:bool}", `field "A" is out of order`},
		{`{"A":bool}`, "it is not in its canonical form"},
		{"{A:{N:int8},B:{N:int8}}", "it is not in its canonical form"},
		{"{A:[int8],B:#2}", "it is not in its canonical form"},
		{"#1", "#1 refers to nothing"},
		{"{A:#2}", "#2 refers to nothing"},
		{"{A:#x}", "#x refers to nothing"},
		{strings.Repeat("[", deepestText+1), "it is nested too deep"},
	}
	for _, tt := range tests {
		if _, err := parseSchema(tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%.40s: got error %v, want %s", tt.text, err, tt.want)
		}
	}
}

// What is on the wire decides, not how Go's types are put together.
func TestSchemaTextsAreEqualWhereTheWireIs(t *testing.T) {
	number := &Type{Kind: Int}
	node := func(next *Type) *Type {
		return &Type{Kind: Struct, Fields: []Field{{Wire: "Next", Type: &Type{Kind: Pointer, Elem: next}}, {Wire: "N", Type: number}}}
	}
	alone := node(nil)
	alone.Fields[0].Type.Elem = alone
	first := node(nil)
	second := node(first)
	first.Fields[0].Type.Elem = second
	for _, tt := range []struct {
		what string
		t    *Type
	}{{"a struct that holds itself", alone}, {"two that hold each other", first}, {"one that holds these", node(second)}} {
		if got, want := schemaOf(tt.t).text(), "{N:int64,Next:?#1}"; got != want {
			t.Errorf("%s: got %s, want %s", tt.what, got, want)
		}
	}
}

func TestEveryKindHasASchema(t *testing.T) {
	number := &Type{Kind: Int}
	for kind := Bool; kind <= Map; kind++ {
		typ := &Type{Kind: kind, Go: GoType{Pkg: "example.com/own", Name: "Own"}, Key: number, Elem: number}
		text := schemaOf(typ).text()
		if _, err := parseSchema(text); err != nil {
			t.Errorf("kind %d: %q: %s", kind, text, err)
		}
	}
}

// A shared struct is written once, so that a text grows with the number of types.
func TestSchemaTextIsLinear(t *testing.T) {
	layers := func(n int) *Type {
		below := &Type{Kind: Struct, Fields: []Field{{Wire: "N", Type: &Type{Kind: Int}}}}
		for i := range n {
			name := fmt.Sprintf("F%d", i%7)
			below = &Type{Kind: Struct, Fields: []Field{{Wire: name + "a", Type: below}, {Wire: name + "b", Type: below}}}
		}
		return below
	}
	if got, most := len(schemaOf(layers(50)).text()), 50*20; got > most {
		t.Errorf("got %d bytes for 50 types, want at most %d", got, most)
	}
}

func TestFingerprintIsThatOfTheText(t *testing.T) {
	// printf %s int64 | sha256sum
	if got, want := fingerprintOf("int64").String(), "0xbc2229666b96007e"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParseSchema(f *testing.F) {
	for _, text := range schemaTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchema(text)
		if err != nil {
			return
		}
		if got := s.text(); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
		if found := (&comparison{renames: true}).compare(s, s, s); len(found) > 0 {
			t.Errorf("%s cannot be read as itself: %s", text, found[0].message)
		}
	})
}

// Whatever is read of a lock is written again such that it says the same.
func FuzzParseLock(f *testing.F) {
	for _, text := range schemaTexts {
		s, err := parseSchema(text)
		if err != nil {
			f.Fatal(err)
		}
		for i, part := range s.parts() {
			if part.form == structForm || text == "[#1]" || text == "{string=>#1}" {
				part.label = fmt.Sprintf("T%d", i)
			}
		}
		if strings.HasPrefix(text, "{A:[#") {
			continue // its lists have no names of their own here
		}
		entry := newLockTask([]string{"b", "a"}, s, s)
		entry.Earlier = []lockVersion{{fingerprintOf("int8"), "int8", nil}}
		f.Add((&lockFile{Format: lockFormat, Tasks: map[string]*lockTask{"task": entry}}).content())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		lock, err := parseLock(content)
		if err != nil {
			return
		}
		again, err := parseLock(lock.content())
		if err != nil {
			t.Fatalf("what was read as %s is not read again: %s", lock.content(), err.message)
		}
		for name, entry := range lock.Tasks {
			if got := again.Tasks[name].Args.schema.text(); got != entry.Args.schema.text() {
				t.Errorf("%s: got %s, want %s", name, got, entry.Args.schema.text())
			}
		}
	})
}
