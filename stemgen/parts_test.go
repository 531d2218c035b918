package stemgen

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDirectiveTellsWordsAndTheirColumns(t *testing.T) {
	tests := []struct{ comment, want string }{
		{`//stem:task`, ``},
		{`//stem:task a=1`, `13 a 15 1|`},
		{"//stem:task\ta=1  b=2\t", `13 a 15 1|18 b 20 2|`},
		{`//stem:task flag empty=`, `13 flag 13 |18 empty 24 |`},
		{`//stem:task name="two words" x=y`, `13 name 18 two words|30 x 32 y|`},
		{`//stem:task name="a \"b\"="`, `13 name 18 a "b"=|`},
		{`//stem:task backoff=exp(1s, 5m) a=b`, `13 backoff 21 exp(1s, 5m)|33 a 35 b|`},
	}
	for _, tt := range tests {
		rep := new(report)
		got := ""
		for _, w := range parseDirective(tt.comment, token.Position{Column: 1}, rep).words {
			got += fmt.Sprintf("%d %s %d %s|", w.pos.Column, w.key, w.valuePos.Column, w.value)
		}
		if got != tt.want || len(rep.list) > 0 {
			t.Errorf("%s: got %s %v, want %s", tt.comment, got, rep.list, tt.want)
		}
	}
}

func TestNamesAreThoseThatAPersonWouldChoose(t *testing.T) {
	for name, want := range map[string]string{
		"userID": "UserID", "id": "ID", "url": "URL", "urlString": "URLString", "idle": "Idle", "n": "N", "ünited": "Ünited", "X": "X",
	} {
		if got, ok := exported(name); got != want || !ok {
			t.Errorf("exported %s: got %s, %t, want %s", name, got, ok, want)
		}
	}
	for _, name := range []string{"_x", "世"} {
		if got, ok := exported(name); ok {
			t.Errorf("exported %s: got %s, want none", name, got)
		}
	}
	for name, want := range map[string]string{
		"SendWelcome": "send_welcome", "sendHTTPRequest": "send_http_request", "UserID": "user_id", "a_b": "a_b", "x": "x", "V2Beta": "v2_beta",
	} {
		if got := snake(name); got != want {
			t.Errorf("snake %s: got %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"hello": "Hello", "Hello": "HelloTask", "urlCheck": "URLCheck"} {
		if got, ok := variableName(Func{Name: name}); got != want || !ok {
			t.Errorf("variable of %s: got %s, %t, want %s", name, got, ok, want)
		}
	}
}

func TestSentenceIsTheFirstOfADocComment(t *testing.T) {
	for doc, want := range map[string]string{
		"":                               "",
		"hello greets.":                  "hello greets.",
		"hello greets. It is nice.":      "hello greets.",
		"hello greets\nsomeone. And on.": "hello greets someone.",
		"hello\n\nMore.":                 "hello",
	} {
		if got := sentence(doc); got != want {
			t.Errorf("%q: got %q, want %q", doc, got, want)
		}
	}
}

func TestDurationsAreWrittenInTheirLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second:             "time.Second",
		90 * time.Second:        "90 * time.Second",
		90 * time.Minute:        "90 * time.Minute",
		24 * time.Hour:          "24 * time.Hour",
		1500 * time.Millisecond: "1500 * time.Millisecond",
		250 * time.Microsecond:  "250 * time.Microsecond",
		1001 * time.Nanosecond:  "1001 * time.Nanosecond",
	} {
		if got := duration(d).GoString(); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

func TestGeneratedFilesTellWhatBecameOfThem(t *testing.T) {
	sealed := string(seal([]byte("package p\n\nconst _ = stem.GeneratedCodeV1\n")))
	type story struct{ Ours, Edited, Newer bool }
	tests := []struct {
		promise string
		content string
		want    story
	}{
		{"as it was written", sealed, story{Ours: true}},
		{"with other line ends and a byte order mark", "\ufeff" + crlf(sealed), story{Ours: true}},
		{"edited", sealed + "// mine\n", story{Ours: true, Edited: true}},
		{"with its sum gone", headerLine + "\n\npackage p\n", story{Ours: true, Edited: true}},
		{"with the marks of a merge", sealed + "<<<<<<< ours\n=======\n>>>>>>> theirs\n", story{Ours: true}},
		{"of a later generation", string(seal([]byte("package p\n\nconst _ = stempkg.GeneratedCodeV12\n"))), story{Ours: true, Newer: true}},
		{"somebody else's", "package p\n", story{Edited: true}},
		{"that only mentions the header", "// Header: " + headerLine + "\npackage p\n", story{Edited: true}},
	}
	for _, tt := range tests {
		content := []byte(tt.content)
		got := story{isOurs(content), isEdited(content), isNewer(content)}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", tt.promise, diff)
		}
	}
}

func crlf(s string) string {
	out := ""
	for _, r := range s {
		if r == '\n' {
			out += "\r"
		}
		out += string(r)
	}
	return out
}

func TestInternalPackagesMayBeImportedFromWithinTheirTree(t *testing.T) {
	tests := []struct {
		from, path string
		want       bool
	}{
		{"a.io/m/x", "a.io/m/internal/y", true},
		{"a.io/m", "a.io/m/internal", true},
		{"a.io/mm", "a.io/m/internal/y", false},
		{"a.io/m/x", "a.io/m/z/internal/y", false},
		{"a.io/m", "internal/abi", false},
		{"a.io/m", "b.io/internals/x", true},
	}
	for _, tt := range tests {
		if got := mayImport(tt.from, tt.path); got != tt.want {
			t.Errorf("%s imports %s: got %t, want %t", tt.from, tt.path, got, tt.want)
		}
	}
}

func TestNothingPastTheModelKnowsTheTypeChecker(t *testing.T) {
	files, err := filepath.Glob("render*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range append(files, "model.go", "check.go", "optionargs.go", "jsonschema.go", "genfile.go", "write.go") {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == `"go/types"` }) {
			t.Errorf("%s imports go/types", name)
		}
	}
	if got, want := invalidType, types.Typ[types.Invalid].Name(); got != want {
		t.Errorf("got %q for an unknown type, want %q", got, want)
	}
}
