package stemgen

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// A builder makes the model of one package out of its types.
type builder struct {
	prog  *program
	src   *source
	view  *view
	rep   *report
	model *Package
	types map[string]*Type // by the type's full name
	met   []string         // the names of types, in the order in which wire came upon them
	named []*types.Named   // types with a name, embedded ones too, in the order of first need

	constrained map[string]bool             // whether a file is left out of some builds
	comments    map[token.Pos]string        // what is said of types and fields, by the places of their names
	constants   map[types.Object][]Constant // by type
}

// buildModel makes the model of the marked functions and types. What cannot be a task, or cannot
// travel, is reported; the model is good to be rendered only where nothing was.
func buildModel(prog *program, src *source, v *view, funcs []marked, rep *report) *Package {
	b := &builder{
		prog:  prog,
		src:   src,
		view:  v,
		rep:   rep,
		model: &Package{Path: src.PkgPath, Name: src.name, Taken: declaredNames(prog.fset, src.files)},
		types: make(map[string]*Type),

		constrained: make(map[string]bool),
		comments:    commentsOf(src.files),
		constants:   constants(v.pkg),
	}
	var signatures []*signature
	for _, m := range funcs {
		if m.spec != nil {
			continue
		}
		if s := b.signature(m); s != nil {
			signatures = append(signatures, s)
			b.model.Tasks = append(b.model.Tasks, s.task)
		}
	}
	// Args structs first: the types of any task may mention them.
	for _, s := range signatures {
		if len(s.params) > 1 || s.task.Options.Args != "" {
			b.declareArgs(s)
		}
	}
	for _, s := range signatures {
		before, met := rep.errors, len(b.met)
		b.carry(s)
		if rep.errors > before {
			b.forgetForeign(met)
		}
	}
	for _, m := range funcs {
		if m.spec != nil {
			b.codecType(m)
		}
	}
	if rep.errors > 0 {
		return b.model // with holes where types are that cannot travel
	}
	b.guards()
	markCycles(b.model.Types)
	nameFunctions(b.model)
	return b.model
}

func (b *builder) position(pos token.Pos) token.Position { return b.prog.fset.Position(pos) }

// short gives a type as code of this package writes it.
func (b *builder) short(t types.Type) string {
	return types.TypeString(t, func(pkg *types.Package) string {
		if pkg == b.view.pkg {
			return ""
		}
		return pkg.Name()
	})
}

// root begins a path: with the type's name, where it has one.
func (b *builder) root(t types.Type, other string) string {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if _, ok := types.Unalias(t).(*types.Named); ok {
		return b.short(t)
	}
	return other
}

// declareArgs gives a function of several parameters the struct that carries them.
// The fields' types follow later, in carry.
func (b *builder) declareArgs(s *signature) {
	f := s.task.Func
	args := &ArgsType{Name: s.task.Options.Args, Pos: f.Pos}
	if pos, given := s.task.Options.Places["args"]; given {
		args.Pos = pos
	} else {
		args.Name = strings.TrimSuffix(s.task.Var, "Task") + "Args"
	}
	names := make(Names)
	for _, p := range s.params {
		if p.name == nil {
			b.rep.errorf(b.position(p.expr.Pos()), CodeUnnamedParam, "name the parameter: its name is what its value travels under",
				"args=%s needs a name for each parameter", args.Name)
			continue
		}
		pos := b.position(p.name.Pos())
		name, ok := exported(p.name.Name)
		if !ok {
			b.rep.errorf(pos, CodeUnexportable, "give it a name that begins with a letter that has a capital form",
				"parameter %s has no exported form to name a field by", p.name.Name)
		}
		if other, taken := names[name]; taken {
			b.rep.errorf(pos, CodeNameTaken, "rename one of them", "two parameters become field %s of %s", name, args.Name).
				see(other, "the first one")
		}
		names[name] = pos
		args.Fields = append(args.Fields, ArgsField{Name: name, Wire: p.name.Name})
	}
	s.task.ArgsType = args

	t := &Type{Kind: Struct, Go: GoType{Form: NamedForm, Pkg: b.src.PkgPath, Base: b.src.name, Name: args.Name}}
	b.types[b.src.PkgPath+"."+args.Name] = t
	s.task.Args = t
}

// carry finds out how the args and the result of a task travel.
func (b *builder) carry(s *signature) {
	for _, p := range s.params {
		s.task.Func.Params = append(s.task.Func.Params, b.goType(p.typ, b.trailOf(p.expr, paramName(p))))
	}
	switch args := s.task.ArgsType; {
	case args != nil:
		b.model.Types = append(b.model.Types, s.task.Args)
		for i := range args.Fields {
			p := s.params[i]
			args.Fields[i].Type = b.wire(p.typ, b.trailOf(p.expr, paramName(p)))
			s.task.Args.Fields = append(s.task.Args.Fields, Field{
				Wire: args.Fields[i].Wire, Select: args.Fields[i].Name, Type: args.Fields[i].Type,
			})
		}
	case len(s.params) == 1:
		p := s.params[0]
		s.task.Args = b.wire(p.typ, b.trailOf(p.expr, b.root(p.typ, paramName(p))))
	}
	if s.result != nil {
		expr := s.at.Type.Results.List[0].Type
		at := b.trailOf(expr, b.root(s.result, "the result"))
		result := b.goType(s.result, at)
		s.task.Func.Result = &result
		s.task.Result = b.wire(s.result, at)
	}
}

// forgetForeign lets the next task find out anew what is wrong with types of other
// packages, of those met last: that is reported where the task names them, not where
// they are declared.
func (b *builder) forgetForeign(from int) {
	for _, key := range b.met[from:] {
		if t := b.types[key]; t != nil && t.Go.Pkg != b.src.PkgPath {
			delete(b.types, key)
		}
	}
	b.met = b.met[:from]
}

func paramName(p parameter) string {
	if p.name == nil {
		return "the parameter"
	}
	return "parameter " + p.name.Name
}

// A trail is where in the source, and by which path through the types, a type was
// come upon.
type trail struct {
	pos      token.Position
	path     string
	from, to token.Pos // of the expression
	foreign  bool      // the type is a field of another package's
}

func (b *builder) trailOf(expr ast.Expr, path string) trail {
	return trail{pos: b.position(expr.Pos()), path: path, from: expr.Pos(), to: expr.End()}
}

// declaredNames gives all names that the files declare for the whole package or
// import.
func declaredNames(fset *token.FileSet, files []*ast.File) Names {
	names := make(Names)
	add := func(id *ast.Ident) {
		if id != nil && id.Name != "_" && id.Name != "." {
			names[id.Name] = fset.Position(id.Pos())
		}
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name != "init" {
					add(decl.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec.Name)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							add(name)
						}
					case *ast.ImportSpec:
						add(spec.Name)
					}
				}
			}
		}
	}
	return names
}

// docText gives the function's doc comment without its directives.
func docText(decl *ast.FuncDecl) string { return strings.TrimSpace(decl.Doc.Text()) }
