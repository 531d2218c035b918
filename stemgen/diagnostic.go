package stemgen

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// A Diagnostic is something in the user's code that stands in the way of a task,
// or, as a warning, something that may not do what its author thinks.
type Diagnostic struct {
	File    string `json:"file"` // absolute, or empty where the trouble has no place in a file
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in bytes, from 1, as in the compiler's messages
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"` // the way out, one suggestion a line
	Warning bool   `json:"warning,omitempty"`
	// Related are other places that the message speaks of: a first declaration, the
	// function that a directive is cut off from.
	Related []Related `json:"related,omitempty"`
}

// Related is a place that has to do with a diagnostic.
type Related struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String gives the diagnostic as `file:line:col: message [S104]`. On indented lines
// beneath stand the related places in the same form, then the fix.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(linePrefix(d.File, d.Line, d.Column))
	if d.Warning {
		b.WriteString("warning: ")
	}
	fmt.Fprintf(&b, "%s [%s]", d.Message, d.Code)
	for _, other := range d.Related {
		b.WriteString("\n\t" + linePrefix(other.File, other.Line, other.Column) + other.Message)
	}
	for line := range strings.Lines(d.Fix) {
		b.WriteString("\n\t" + strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}

// linePrefix gives a place as it begins a line, as far as it is known.
func linePrefix(file string, line, column int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return file + ": "
	default:
		return fmt.Sprintf("%s:%d:%d: ", file, line, column)
	}
}

// A Code names a kind of diagnostic for good: messages get better, codes stay.
type Code string

// Directives: how they are written and where they stand.
const (
	CodeNearDirective      Code = "S101" // looks like a directive, but Go tools would not take it for one
	CodeUnknownDirective   Code = "S102" // //stem: and a word that is not task
	CodeDetachedDirective  Code = "S103" // cut off from its function by a blank line
	CodeMisplacedDirective Code = "S104" // on something that is not a function
	CodeRepeatedDirective  Code = "S105" // twice on one function
)

// Options of a directive.
const (
	CodeUnknownOption   Code = "S201"
	CodeDuplicateOption Code = "S202"
	CodeMissingValue    Code = "S203"
	CodeBadValue        Code = "S204"
	CodeMalformed       Code = "S205" // unbalanced quotes or parentheses
	CodeIdleOption      Code = "S207" // an option that means nothing for this function
)

// The function's signature.
const (
	CodeNoContext    Code = "S301"
	CodeResults      Code = "S302"
	CodeVariadic     Code = "S303"
	CodeUnnamedParam Code = "S304"
	CodeGeneric      Code = "S305"
	CodeReserved     Code = "S306" // init and main, which nobody but Go may call
	CodeTestFile     Code = "S307"
	CodeConstrained  Code = "S308" // in a file that only some builds compile
	CodeUnexportable Code = "S309" // a name that has no exported form
)

// Types that are to travel.
const (
	CodeUnsupportedType Code = "S401"
	CodeEmptyStruct     Code = "S402" // a struct of which nothing would arrive
	CodeTaggedHidden    Code = "S403" // a tag on an unexported field
	CodeBadTag          Code = "S404"
	CodeFieldClash      Code = "S405" // two fields, one wire name
	CodeUnresolvedType  Code = "S406" // the compiler does not know the type either
	CodeUnnameable      Code = "S407" // a type that this package cannot write down
	CodeMapKey          Code = "S408"
	CodeHalfMarshaler   Code = "S409" // marshals but does not unmarshal, or the reverse
	CodeEmbedded        Code = "S410"
)

// Names in the package.
const (
	CodeNameTaken      Code = "S501"
	CodeDuplicateTask  Code = "S502"
	CodeHiddenUniverse Code = "S503" // the package redeclares len, error, string, …
)

// Packages and the generated file itself.
const (
	CodeForeignFile   Code = "S601" // stem_gen.go is not ours
	CodeHandEdited    Code = "S602"
	CodeNewerStemgen  Code = "S603"
	CodeOutsideModule Code = "S604"
	CodeNoRuntime     Code = "S605" // the module does not require Stem
	CodeBadPackage    Code = "S606" // the go command cannot load it
	CodeSyntax        Code = "S607" // a file with a directive that does not parse
	CodeMixedPackages Code = "S608" // files of one folder that name different packages
)

// Changes that what is queued, or kept of results, would not survive, and the lock that
// they are found by.
const (
	CodeBadLock      Code = "S701" // cannot be read
	CodeLockConflict Code = "S702" // a merge has left its marks
	CodeNewerLock    Code = "S703"
	CodeEditedLock   Code = "S704" // fingerprint and schema do not belong together
	CodeLostLock     Code = "S705" // there is none, though there was one

	CodeChangedKind  Code = "S711"
	CodeRenamedField Code = "S712" // it looks as if
	CodeDroppedAlias Code = "S713"
	CodeTwoForOne    Code = "S714" // two fields that were written side by side are read into one
	CodeGoneTask     Code = "S715"
)

// CodeInternal is a bug of stemgen's own: what it wrote does not compile.
const CodeInternal Code = "S901"

// A report collects the diagnostics of a run.
type report struct {
	list   []*Diagnostic
	errors int // how many of them are no warnings
}

func (r *report) errorf(pos token.Position, code Code, fix, format string, args ...any) *Diagnostic {
	r.errors++
	return r.add(Diagnostic{Code: code, Fix: fix, Message: fmt.Sprintf(format, args...)}, pos)
}

func (r *report) warnf(pos token.Position, code Code, fix, format string, args ...any) *Diagnostic {
	return r.add(Diagnostic{Code: code, Fix: fix, Message: fmt.Sprintf(format, args...), Warning: true}, pos)
}

func (r *report) add(d Diagnostic, pos token.Position) *Diagnostic {
	d.File, d.Line, d.Column = pos.Filename, pos.Line, pos.Column
	r.list = append(r.list, &d)
	return &d
}

// see adds a place that the message speaks of, and what is there.
func (d *Diagnostic) see(pos token.Position, what string) {
	d.Related = append(d.Related, Related{File: pos.Filename, Line: pos.Line, Column: pos.Column, Message: what})
}

// sorted gives the diagnostics by place, each once.
func (r *report) sorted() []Diagnostic {
	var ds []Diagnostic
	for _, d := range r.list {
		ds = append(ds, *d)
	}
	slices.SortStableFunc(ds, compareDiagnostics)
	return slices.CompactFunc(ds, func(a, b Diagnostic) bool { return compareDiagnostics(a, b) == 0 })
}

func compareDiagnostics(a, b Diagnostic) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Fix, b.Fix),
		slices.CompareFunc(a.Related, b.Related, compareRelated),
	)
}

func compareRelated(a, b Related) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Message, b.Message),
	)
}

// join adds what another report has collected.
func (r *report) join(other *report) {
	r.list = append(r.list, other.list...)
	r.errors += other.errors
}

func (r *report) count(code Code) int {
	n := 0
	for _, d := range r.list {
		if d.Code == code {
			n++
		}
	}
	return n
}

// change reports what may not survive a deploy, as it was decided to be taken.
func (r *report) change(pos token.Position, c change, v verdict) {
	fix := strings.Join(c.fix, "\n")
	switch v {
	case warned:
		r.warnf(pos, c.code, fix, "%s", c.message)
	case refused:
		r.errorf(pos, c.code, fix, "%s", c.message)
	}
}
