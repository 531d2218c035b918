package stemgen

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// A marked function or type bears a directive.
type marked struct {
	decl    *ast.FuncDecl // of //stem:task
	spec    *ast.TypeSpec // of //stem:codec
	at      directive
	options Options
}

// String names what is marked as a person would: "func f", "type T".
func (m marked) String() string {
	if m.spec != nil {
		return "type " + m.spec.Name.Name
	}
	return "func " + m.decl.Name.Name
}

func (m marked) noun() string {
	if m.spec != nil {
		return "type"
	}
	return "task"
}

// documented gives the functions and types of a file by their doc comments. That of a group
// of types is no type's.
func documented(file *ast.File) map[*ast.CommentGroup]marked {
	docs := make(map[*ast.CommentGroup]marked)
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			docs[decl.Doc] = marked{decl: decl}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					docs[t.Doc] = marked{spec: t}
					if !isGroup(decl) {
						docs[decl.Doc] = marked{spec: t}
					}
				}
			}
		}
	}
	return docs
}

// findMarked gives the functions and types of a file that bear a directive. Directives that
// stand elsewhere, and comments that were meant to be one, are reported.
func findMarked(fset *token.FileSet, file *ast.File, rep *report) []marked {
	docs := documented(file)
	var found []marked
	for _, group := range file.Comments {
		on := docs[group]
		var first *token.Position
		for _, comment := range group.List {
			pos := fset.Position(comment.Pos())
			switch kind, reason := classify(comment.Text); kind {
			case nearDirective:
				rep.errorf(pos, CodeNearDirective, "write "+canonical(comment.Text), "%s", reason)
			case unknownDirective:
				rep.errorf(column(pos, len(directiveStart)), CodeUnknownDirective, suggestDirective(comment.Text), "%s", reason)
			case onFunction:
				switch {
				case on.decl == nil:
					taskPlace.report(fset, file, comment, rep)
				case first != nil:
					rep.errorf(pos, CodeRepeatedDirective, "put all options on one line", "%s bears a second directive", on).see(*first, "the first one")
				default:
					first = &pos
					d := parseDirective(comment.Text, pos, rep)
					found = append(found, marked{decl: on.decl, at: d, options: readOptions(d, rep)})
				}
			case onType:
				if rest := strings.TrimLeft(comment.Text[len(codecDirective):], " \t"); rest != "" {
					rep.errorf(column(pos, len(comment.Text)-len(rest)), CodeIdleOption, "put nothing behind it", "%s takes no options", codecDirective)
				}
				switch {
				case on.spec == nil:
					codecPlace.report(fset, file, comment, rep)
				case first != nil:
					rep.errorf(pos, CodeRepeatedDirective, "keep one of them", "%s bears a second directive", on).see(*first, "the first one")
				default:
					first = &pos
					found = append(found, marked{spec: on.spec, at: directive{pos: pos}})
				}
			}
		}
	}
	return found
}

// A directivePlace is where a directive belongs, in the words of its diagnostics.
type directivePlace struct {
	what   string // it belongs to
	others string // why it does not belong elsewhere
	fix    string
	here   func(ast.Decl) bool // whether it belongs above a declaration
}

var taskPlace = directivePlace{
	what: "function", others: "only functions are tasks", fix: "put it directly above the function that is the task",
	here: func(decl ast.Decl) bool {
		_, ok := decl.(*ast.FuncDecl)
		return ok
	},
}

var codecPlace = directivePlace{
	what: "type", others: "only types have codecs", fix: "put it directly above the type that is to have a codec",
	here: func(decl ast.Decl) bool {
		gen, ok := decl.(*ast.GenDecl)
		return ok && gen.Tok == token.TYPE
	},
}

// report says where a directive stands instead of above what it belongs to.
func (p directivePlace) report(fset *token.FileSet, file *ast.File, comment *ast.Comment, rep *report) {
	pos := fset.Position(comment.Pos())
	if comment.Pos() < file.Package {
		rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive above the package clause belongs to no %s", p.what)
		return
	}
	for _, decl := range file.Decls {
		from, to := decl.Pos(), decl.End()
		doc := docOf(decl)
		switch {
		case comment.Pos() < from && p.here(decl) && isGroup(decl):
			rep.errorf(pos, CodeMisplacedDirective, "put it directly above each type of the group that is to have a codec", "a directive above a group of types")
			return
		case doc != nil && doc.Pos() <= comment.Pos() && comment.Pos() < doc.End():
			rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive on %s: %s", describe(decl), p.others)
			return
		case from <= comment.Pos() && comment.Pos() < to:
			if fn, ok := decl.(*ast.FuncDecl); ok && p.what == "type" {
				rep.errorf(pos, CodeMisplacedDirective, "declare the type outside", "a directive inside func %s, where generated code cannot refer to a type", fn.Name.Name)
			} else if p.here(decl) {
				rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive inside %s", describe(decl))
			} else {
				rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive inside %s: %s", describe(decl), p.others)
			}
			return
		case from > comment.Pos():
			if name := describe(decl); p.here(decl) {
				rep.errorf(pos, CodeDetachedDirective, "put it directly above "+name+", without a blank line between them",
					"the directive is cut off from %s", name).see(fset.Position(from), name)
			} else {
				rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive above %s: %s", describe(decl), p.others)
			}
			return
		case fset.Position(to).Line == pos.Line:
			rep.errorf(pos, CodeMisplacedDirective, p.fix, "a directive behind %s", describe(decl))
			return
		}
	}
	rep.errorf(pos, CodeDetachedDirective, p.fix, "no %s follows the directive", p.what)
}

// isGroup tells whether a declaration is one in parentheses.
func isGroup(decl ast.Decl) bool {
	gen, ok := decl.(*ast.GenDecl)
	return ok && gen.Lparen.IsValid()
}

func docOf(decl ast.Decl) *ast.CommentGroup {
	if gen, ok := decl.(*ast.GenDecl); ok {
		return gen.Doc
	}
	return decl.(*ast.FuncDecl).Doc
}

// describe names a declaration as a person would: "type T", "const A, B".
func describe(decl ast.Decl) string {
	gen, ok := decl.(*ast.GenDecl)
	if !ok {
		return "func " + decl.(*ast.FuncDecl).Name.Name
	}
	if gen.Tok == token.IMPORT {
		return "an import"
	}
	var names []string
	for _, spec := range gen.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
	}
	return fmt.Sprintf("%s %s", gen.Tok, strings.Join(names, ", "))
}
