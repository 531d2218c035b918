package stemgen

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dave/jennifer/jen"
)

// render gives the generated file of a package whose model has passed its checks.
func render(fset *token.FileSet, model *Package) (*ast.File, error) {
	r := newRenderer(model)
	r.handshake()
	for _, task := range model.Tasks {
		r.task(task)
	}
	for _, group := range handlerGroups(model) {
		r.register(group)
	}
	if len(model.Tasks) > 0 {
		r.tasks()
	}
	r.typeGuards()
	r.codecs()
	r.schemas()
	return r.parse(fset)
}

// renderArgs gives a file with the args structs alone, nil where there are none.
func renderArgs(fset *token.FileSet, model *Package) (*ast.File, error) {
	r := newRenderer(model)
	some := false
	for _, task := range model.Tasks {
		if task.ArgsType != nil && !writesInvalid(task.Func.Params) {
			r.argsType(task)
			some = true
		}
	}
	if !some {
		return nil, nil
	}
	return r.parse(fset)
}

// writesInvalid tells whether a type is among those that the compiler does not know.
func writesInvalid(ts []GoType) bool {
	for _, t := range ts {
		if t.Name == invalidType || writesInvalid(t.Args) ||
			t.Elem != nil && writesInvalid([]GoType{*t.Elem}) || t.Key != nil && writesInvalid([]GoType{*t.Key}) {
			return true
		}
	}
	return false
}

// A renderer writes the file of one package.
type renderer struct {
	model   *Package
	file    *jen.File
	imports map[string]string // names by path, in the generated file
	inUse   map[string]bool   // the package's own names that code inside functions refers to
}

// locals are the names of variables in generated functions. Imports keep clear of
// them, and they of the package's own names.
var locals = []string{
	"args", "b", "buf", "ctx", "data", "depth", "e", "enc", "entries", "err", "from", "i", "in", "k", "key", "m", "n", "ok", "opts", "r", "s", "scratch", "v",
}

// ownImports are the packages that generated code may import for itself.
var ownImports = []string{runtimePath, codecPath, "context", "errors", "fmt", "time"}

func newRenderer(model *Package) *renderer {
	r := &renderer{
		model:   model,
		file:    jen.NewFilePathName(model.Path, model.Name),
		imports: make(map[string]string),
		inUse:   make(map[string]bool),
	}
	used := make(map[string]bool)
	for _, name := range locals {
		used[name] = true
	}
	for _, importPath := range ownImports {
		r.importAs(importPath, path.Base(importPath), used)
	}
	visit := func(g GoType) {
		switch {
		case g.Pkg == model.Path:
			r.inUse[g.Name] = true
		case g.Pkg != "":
			r.importAs(g.Pkg, g.Base, used)
		}
	}
	for _, task := range model.Tasks {
		r.inUse[task.Func.Name], r.inUse[task.Var] = true, true
		for _, g := range task.Func.Params {
			g.walk(visit)
		}
		if task.Func.Result != nil {
			task.Func.Result.walk(visit)
		}
	}
	for _, t := range model.Types {
		t.walk(visit)
		if t.Kind == Custom {
			r.importAs("bytes", "bytes", used)
			r.importAs(msgpackPath, "msgpack", used)
		}
	}
	for _, t := range model.Codecs {
		t.Go.walk(visit)
	}
	for _, g := range model.Guards {
		g.Type.walk(visit)
		g.Underlying.walk(visit)
	}
	return r
}

// walk visits every named type that is written within a type.
func (g GoType) walk(visit func(GoType)) {
	if g.Form == NamedForm {
		visit(g)
	}
	for _, inner := range g.Args {
		inner.walk(visit)
	}
	for _, inner := range []*GoType{g.Key, g.Elem} {
		if inner != nil {
			inner.walk(visit)
		}
	}
	for _, f := range g.Fields {
		f.Type.walk(visit)
	}
}

// walk visits every named type that the functions of a type mention.
func (t *Type) walk(visit func(GoType)) {
	t.Go.walk(visit)
	for _, f := range t.Fields {
		f.Type.Go.walk(visit)
		for _, hop := range f.Via {
			hop.Elem.walk(visit)
		}
	}
}

// importAs chooses the name of an import: the package's own, unless something else
// bears it here.
func (r *renderer) importAs(importPath, base string, used map[string]bool) {
	if _, known := r.imports[importPath]; known {
		return
	}
	free := func(name string) bool {
		_, taken := r.model.Taken[name]
		return !taken && !used[name] && !doc.IsPredeclared(name) && !token.IsKeyword(name)
	}
	name := base
	for n := 1; !free(name); n++ {
		name = base + "pkg"
		if n > 1 {
			name += strconv.Itoa(n)
		}
	}
	used[name] = true
	r.imports[importPath] = name
	if name == base && name == assumedName(importPath) {
		r.file.ImportName(importPath, name)
	} else {
		r.file.ImportAlias(importPath, name)
	}
}

var versionElement = regexp.MustCompile(`^v[0-9]+$`)

// assumedName is the name that a reader takes a package to have who sees its path
// only. Where it is another, gofmt's relatives write it before the path, and so do we.
func assumedName(importPath string) string {
	name := path.Base(importPath)
	if versionElement.MatchString(name) {
		name = path.Base(path.Dir(importPath))
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "go-"), ".")
	name, _, _ = strings.Cut(name, "-")
	return name
}

// local gives a local variable's name, which hides nothing that the code refers to.
func (r *renderer) local(name string) string {
	for r.inUse[name] {
		name += "1"
	}
	return name
}

func (r *renderer) id(name string) *jen.Statement { return jen.Id(r.local(name)) }

// parse gives the file as syntax, the imports of the standard library before the
// others.
func (r *renderer) parse(fset *token.FileSet) (*ast.File, error) {
	var raw bytes.Buffer
	r.file.NoFormat = true
	if err := r.file.Render(&raw); err != nil {
		return nil, err
	}
	return parser.ParseFile(fset, GeneratedName, groupImports(raw.Bytes()), parser.ParseComments|parser.SkipObjectResolution)
}

// format gives a generated file as gofmt would have it, under its header. What has been
// parsed already need not be parsed by package format.
func format(fset *token.FileSet, file *ast.File) ([]byte, error) {
	var code bytes.Buffer
	gofmt := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
	if err := gofmt.Fprint(&code, fset, file); err != nil {
		return nil, err
	}
	return seal(code.Bytes()), nil
}

// groupImports parts the block of imports in two.
func groupImports(code []byte) []byte {
	const open, end = "import (\n", "\n)\n"
	head, rest, found := bytes.Cut(code, []byte(open))
	block, tail, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return code
	}
	var standard, others []string
	for line := range strings.SplitSeq(string(block), "\n") {
		quoted := line[strings.IndexByte(line, '"')+1:]
		first, _, _ := strings.Cut(quoted, "/")
		if strings.Contains(first, ".") {
			others = append(others, line)
		} else {
			standard = append(standard, line)
		}
	}
	groups := strings.Join(standard, "\n") + "\n\n" + strings.Join(others, "\n")
	return slices.Concat(head, []byte(open+strings.Trim(groups, "\n")+end), tail)
}

// typ writes a type.
func (r *renderer) typ(g GoType) *jen.Statement {
	switch g.Form {
	case PointerForm:
		return jen.Op("*").Add(r.typ(*g.Elem))
	case SliceForm:
		return jen.Index().Add(r.typ(*g.Elem))
	case ArrayForm:
		return jen.Index(jen.Lit(int(g.Len))).Add(r.typ(*g.Elem))
	case MapForm:
		return jen.Map(r.typ(*g.Key)).Add(r.typ(*g.Elem))
	case StructForm:
		var fields []jen.Code
		for _, f := range g.Fields {
			field := r.typ(f.Type)
			if !f.Embedded {
				field = jen.Id(f.Name).Add(field)
			}
			if f.Tag != "" {
				field.Op(tagLiteral(f.Tag))
			}
			fields = append(fields, field)
		}
		return jen.Struct(fields...)
	}
	name := jen.Id(g.Name)
	if g.Pkg != "" {
		name = jen.Qual(g.Pkg, g.Name)
	}
	if len(g.Args) == 0 {
		return name
	}
	var args []jen.Code
	for _, arg := range g.Args {
		args = append(args, r.typ(arg))
	}
	return name.Types(args...)
}

func tagLiteral(tag string) string {
	if strconv.CanBackquote(tag) {
		return "`" + tag + "`"
	}
	return strconv.Quote(tag)
}

// text writes a string, each of its lines on one of its own.
func text(s string) *jen.Statement {
	lines := strings.SplitAfter(s, "\n")
	code := jen.Op(strconv.Quote(lines[0]))
	for _, line := range lines[1:] {
		code.Op("+").Line().Op(strconv.Quote(line))
	}
	return code
}

// duration writes a duration in the largest unit that it is a whole number of.
func duration(d time.Duration) *jen.Statement {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{
		{"Hour", time.Hour}, {"Minute", time.Minute}, {"Second", time.Second}, {"Millisecond", time.Millisecond}, {"Microsecond", time.Microsecond},
	} {
		switch {
		case d == unit.size:
			return jen.Qual("time", unit.name)
		case d%unit.size == 0:
			return jen.Lit(int(d/unit.size)).Op("*").Qual("time", unit.name)
		}
	}
	return jen.Lit(int(d)).Op("*").Qual("time", "Nanosecond")
}

// lines writes items in brackets, each on a line of its own.
func lines(open, end string, items ...jen.Code) *jen.Statement {
	return jen.Custom(jen.Options{Open: open, Close: end, Separator: ",", Multi: true}, items...)
}

// wireLiteral writes bytes of the wire as a string that shows the names in it.
func wireLiteral(parts []wirePart) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, part := range parts {
		for _, c := range part.head {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		for i, c := range part.name {
			if c == utf8.RuneError || !unicode.IsPrint(c) {
				_, size := utf8.DecodeRuneInString(part.name[i:])
				for _, raw := range []byte(part.name[i : i+size]) {
					fmt.Fprintf(&b, `\x%02x`, raw)
				}
				continue
			}
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// A wirePart is a header and the text that follows it.
type wirePart struct {
	head []byte
	name string
}

// keyPart is a key as it stands on the wire.
func keyPart(name string) wirePart {
	switch n := len(name); {
	case n < 32:
		return wirePart{[]byte{0xa0 | byte(n)}, name}
	case n < 1<<8:
		return wirePart{[]byte{0xd9, byte(n)}, name}
	default:
		return wirePart{[]byte{0xda, byte(n >> 8), byte(n)}, name}
	}
}

// mapPart is the beginning of a map of n entries.
func mapPart(n int) wirePart {
	if n < 16 {
		return wirePart{head: []byte{0x80 | byte(n)}}
	}
	return wirePart{head: []byte{0xde, byte(n >> 8), byte(n)}}
}
