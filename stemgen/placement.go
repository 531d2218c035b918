package stemgen

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// A marked function bears a directive.
type marked struct {
	decl    *ast.FuncDecl
	at      directive
	options Options
}

// findMarked gives the functions of a file that bear a directive. Directives that
// stand elsewhere, and comments that were meant to be one, are reported.
func findMarked(fset *token.FileSet, file *ast.File, rep *report) []marked {
	docs := make(map[*ast.CommentGroup]*ast.FuncDecl)
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Doc != nil {
			docs[fn.Doc] = fn
		}
	}
	var found []marked
	for _, group := range file.Comments {
		fn := docs[group]
		var first *token.Position
		for _, comment := range group.List {
			pos := fset.Position(comment.Pos())
			switch kind, reason := classify(comment.Text); kind {
			case nearDirective:
				rep.errorf(pos, CodeNearDirective, "write "+canonical(comment.Text), "%s", reason)
			case unknownDirective:
				rep.errorf(column(pos, len("//stem:")), CodeUnknownDirective, "write "+directivePrefix+", and after a space its options", "%s", reason)
			case taskDirective:
				switch {
				case fn == nil:
					reportMisplaced(fset, file, comment, rep)
				case first != nil:
					rep.errorf(pos, CodeRepeatedDirective, "put all options on one line",
						"func %s bears a second directive", fn.Name.Name).see(*first, "the first one")
				default:
					first = &pos
					d := parseDirective(comment.Text, pos, rep)
					found = append(found, marked{decl: fn, at: d, options: readOptions(d, rep)})
				}
			}
		}
	}
	return found
}

// reportMisplaced says where a directive stands instead of above a function.
func reportMisplaced(fset *token.FileSet, file *ast.File, comment *ast.Comment, rep *report) {
	pos := fset.Position(comment.Pos())
	const fix = "put it directly above the function that is the task"
	if comment.Pos() < file.Package {
		rep.errorf(pos, CodeMisplacedDirective, fix, "a directive above the package clause belongs to no function")
		return
	}
	for _, decl := range file.Decls {
		from, to := decl.Pos(), decl.End()
		doc := docOf(decl)
		switch {
		case doc != nil && doc.Pos() <= comment.Pos() && comment.Pos() < doc.End():
			rep.errorf(pos, CodeMisplacedDirective, fix, "a directive on %s: only functions are tasks", describe(decl))
			return
		case from <= comment.Pos() && comment.Pos() < to:
			if fn, ok := decl.(*ast.FuncDecl); ok {
				rep.errorf(pos, CodeMisplacedDirective, fix, "a directive inside func %s", fn.Name.Name)
			} else {
				rep.errorf(pos, CodeMisplacedDirective, fix, "a directive inside %s: only functions are tasks", describe(decl))
			}
			return
		case from > comment.Pos():
			if fn, ok := decl.(*ast.FuncDecl); ok {
				rep.errorf(pos, CodeDetachedDirective, "put it directly above func "+fn.Name.Name+", without a blank line between them",
					"the directive is cut off from func %s", fn.Name.Name).see(fset.Position(fn.Pos()), "func "+fn.Name.Name)
			} else {
				rep.errorf(pos, CodeMisplacedDirective, fix, "a directive above %s: only functions are tasks", describe(decl))
			}
			return
		case fset.Position(to).Line == pos.Line:
			rep.errorf(pos, CodeMisplacedDirective, fix, "a directive behind %s", describe(decl))
			return
		}
	}
	rep.errorf(pos, CodeDetachedDirective, fix, "no function follows the directive")
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
