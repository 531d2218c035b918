package stemgen

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// unresolved reports a type that the compiler does not know, with the compiler's
// own words where it has any between from and to.
func (b *builder) unresolved(from, to token.Pos, what string) {
	if err, found := b.view.errorWithin(from, to); found {
		fix := "mend it: the compiler says the same"
		if strings.HasPrefix(err.Msg, "undefined: ") {
			fix = "declare it; if another generator does, run that one first"
		}
		b.rep.errorf(b.position(err.Pos), CodeUnresolvedType, fix, "%s", err.Msg)
		return
	}
	for _, imp := range b.importsWithin(from, to) {
		if err, found := b.view.errorWithin(imp.Pos(), imp.End()); found && strings.HasPrefix(err.Msg, "could not import") {
			message, fix := b.importFailure(imp, err)
			b.rep.errorf(b.position(err.Pos), CodeUnresolvedType, fix, "%s", message)
			return
		}
	}
	b.rep.errorf(b.position(from), CodeUnresolvedType, "see what go vet says of that package", "the type of %s is not known", what)
}

// unresolvedAt does so where the walk through the types has led.
func (b *builder) unresolvedAt(at trail) {
	if at.foreign {
		b.rep.errorf(at.pos, CodeUnresolvedType, "see what go vet says of that package", "the type of %s is not known", at.path)
		return
	}
	b.unresolved(at.from, at.to, at.path)
}

// importsWithin gives the imports that code between two places uses.
func (b *builder) importsWithin(from, to token.Pos) []*ast.ImportSpec {
	var used []*ast.ImportSpec
	for _, file := range b.src.files {
		if from < file.FileStart || file.FileEnd < from {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Pos() < from || to < sel.End() {
				return true
			}
			for _, imp := range file.Imports {
				name := assumedName(importPath(imp))
				if imp.Name != nil {
					name = imp.Name.Name
				}
				if id, ok := sel.X.(*ast.Ident); ok && id.Name == name {
					used = append(used, imp)
				}
			}
			return true
		})
	}
	return used
}

// importFailure prefers what the go command says of an import: it knows why.
func (b *builder) importFailure(imp *ast.ImportSpec, err types.Error) (message, fix string) {
	found := b.src.Imports[importPath(imp)]
	if found == nil || len(found.Errors) == 0 {
		return err.Msg, ""
	}
	return goAdvice(found.Errors[0].Msg)
}

// goAdvice parts what the go command says into what is wrong and what to do.
func goAdvice(said string) (message, fix string) {
	said = strings.TrimSpace(said)
	for _, turn := range []string{"; to add it:\n\t", "; to add:\n\t"} {
		if message, fix, found := strings.Cut(said, turn); found {
			return message, fix
		}
	}
	return said, ""
}

func importPath(imp *ast.ImportSpec) string { return strings.Trim(imp.Path.Value, "\"`") }
