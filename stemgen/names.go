package stemgen

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// initialisms are the words that Go programmers write in capitals.
var initialisms = []string{
	"api", "ascii", "cpu", "css", "dns", "eof", "guid", "html", "http", "https", "id", "ip", "json", "qps", "ram", "rpc",
	"sku", "sla", "smtp", "sql", "ssh", "tcp", "tls", "ttl", "udp", "ui", "uid", "uri", "url", "utf8", "uuid", "vm", "xml",
}

// exported gives a name as other packages would see it: userID as UserID, id as
// ID. It fails where the first letter knows no capitals.
func exported(name string) (string, bool) {
	first, size := utf8.DecodeRuneInString(name)
	if unicode.IsUpper(first) {
		return name, true
	}
	end := strings.IndexFunc(name, func(r rune) bool { return !unicode.IsLower(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(name)
	}
	if slices.Contains(initialisms, name[:end]) {
		return strings.ToUpper(name[:end]) + name[end:], true
	}
	upper := unicode.ToUpper(first)
	return string(upper) + name[size:], unicode.IsUpper(upper)
}

// variableName gives the name of a task's definition: the function's own, made
// exported, where that is free, else with Task behind it.
func variableName(f Func) (string, bool) {
	name, ok := exported(f.Name)
	if f.Receiver != nil {
		base, baseOK := exported(f.Receiver.Base)
		name, ok = base+name, ok && baseOK
	}
	if isExported(f.Name) {
		name += "Task"
	}
	return name, ok
}

func isExported(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	return unicode.IsUpper(first)
}

// taskName gives the name of a task whose directive has none: mail.send_welcome,
// mail.mailer.send. It does not tell exported from unexported, so that exporting a
// function later leaves queued tasks alone.
func taskName(pkg string, f Func) string {
	parts := []string{pkg}
	if f.Receiver != nil {
		parts = append(parts, snake(f.Receiver.Base))
	}
	return strings.Join(append(parts, snake(f.Name)), ".")
}

// snake gives sendHTTPRequest as send_http_request.
func snake(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && runes[i-1] != '_' &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// plainASCII tells whether a name may stand in a store as it is.
func plainASCII(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// sentence gives the first sentence of a doc comment, on one line.
func sentence(doc string) string {
	doc, _, _ = strings.Cut(doc, "\n\n")
	doc = strings.Join(strings.Fields(doc), " ")
	if i := strings.Index(doc, ". "); i >= 0 {
		doc = doc[:i+1]
	}
	return doc
}

// nameFunctions gives each type with functions or a codec of its own the end of their
// names, such that no two are the same and none is the user's.
func nameFunctions(model *Package) {
	used := make(map[string]bool)
	free := func(name string) bool {
		for _, prefix := range []string{"stemAppend", "stemRead", "stemCodec", "stemSchema", "stemDef", "stemNotZero"} {
			if _, taken := model.Taken[prefix+name]; taken {
				return false
			}
		}
		return !used[name]
	}
	give := func(t *Type) {
		if t.Suffix != "" {
			return
		}
		base := suffix(t.Go, "")
		if !free(base) {
			base = suffix(t.Go, model.Path)
		}
		t.Suffix = base
		for n := 2; !free(t.Suffix); n++ {
			t.Suffix = fmt.Sprintf("%s%d", base, n)
		}
		used[t.Suffix] = true
	}
	for _, t := range model.Types {
		give(t)
	}
	for _, t := range model.withCodec() {
		give(t)
	}
	for _, t := range model.carried() {
		for _, d := range t.definitions() {
			give(d)
		}
	}
}

// suffix gives the end of a function's name for a type: Item, SliceItem,
// MapStringInt64. Where own is given, types of other packages than that have the name
// of theirs before their own.
func suffix(g GoType, own string) string {
	switch g.Form {
	case PointerForm:
		return "Pointer" + suffix(*g.Elem, own)
	case SliceForm:
		return "Slice" + suffix(*g.Elem, own)
	case ArrayForm:
		return fmt.Sprintf("Array%d%s", g.Len, suffix(*g.Elem, own))
	case MapForm:
		return "Map" + suffix(*g.Key, own) + suffix(*g.Elem, own)
	case StructForm:
		name := "Struct"
		for _, f := range g.Fields {
			name += upperFirst(f.Name)
		}
		return name
	}
	name := upperFirst(g.Name)
	if own != "" && g.Pkg != "" && g.Pkg != own {
		name = upperFirst(g.Base) + name
	}
	for _, arg := range g.Args {
		name += suffix(arg, own)
	}
	return name
}

func upperFirst(name string) string {
	upper, _ := exported(name)
	return upper
}
