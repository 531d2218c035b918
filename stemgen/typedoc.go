package stemgen

import (
	"cmp"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// A Constant is a constant of a named number or string.
type Constant struct {
	Name  string
	Value string // as JSON
}

// commentsOf gives what the comments of the files say of types and fields, by the places of
// their names. A comment above wins over one behind.
func commentsOf(files []*ast.File) map[token.Pos]string {
	said := make(map[token.Pos]string)
	add := func(pos token.Pos, comments ...*ast.CommentGroup) {
		for _, c := range comments {
			if text := strings.TrimSpace(c.Text()); text != "" && said[pos] == "" {
				said[pos] = text
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				for _, spec := range n.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						add(t.Name.Pos(), t.Doc)
						if !n.Lparen.IsValid() {
							add(t.Name.Pos(), n.Doc)
						}
						add(t.Name.Pos(), t.Comment)
					}
				}
			case *ast.StructType:
				for _, f := range n.Fields.List {
					for _, name := range f.Names {
						add(name.Pos(), f.Doc, f.Comment)
					}
				}
			}
			return true
		})
	}
	return said
}

// constants gives the package's constants of each of its numbers and strings, in the order
// of declaration. Of several with one value the first counts.
func constants(pkg *types.Package) map[types.Object][]Constant {
	var all []*types.Const
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *types.Const) int { return cmp.Compare(a.Pos(), b.Pos()) })
	found := make(map[types.Object][]Constant)
	for _, c := range all {
		named, ok := types.Unalias(c.Type()).(*types.Named)
		if !ok || named.Obj().Pkg() != pkg {
			continue
		}
		k := Constant{Name: c.Name()}
		switch v := c.Val(); v.Kind() {
		case constant.Int:
			k.Value = v.ExactString()
		case constant.String:
			k.Value = quoteJSON(constant.StringVal(v))
		default:
			continue
		}
		list := found[named.Obj()]
		if !slices.ContainsFunc(list, func(other Constant) bool { return other.Value == k.Value }) {
			found[named.Obj()] = append(list, k)
		}
	}
	return found
}
