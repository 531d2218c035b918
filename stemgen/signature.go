package stemgen

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"path/filepath"
)

// shapes are the functions that can be tasks.
const shapes = `a task is a function or a method of one of these forms:
func(ctx context.Context) error
func(ctx context.Context) (R, error)
func(ctx context.Context, args A) error
func(ctx context.Context, args A) (R, error)
func(ctx context.Context, a A, b B) (R, error)`

// A signature is a marked function that has the form of a task.
type signature struct {
	task   *Task
	params []parameter // after the context
	result types.Type  // nil where there is only an error
	at     *ast.FuncDecl
}

// A parameter is one name of a function's parameter list.
type parameter struct {
	name *ast.Ident // nil where it has none
	expr ast.Expr
	typ  types.Type
}

// signature holds a marked function against the forms that a task may have. It
// gives nil, and has reported why, where the function has none of them.
func (b *builder) signature(m marked) *signature {
	name := b.position(m.decl.Name.Pos())
	fn, ok := b.view.defs[m.decl.Name].(*types.Func)
	if !ok {
		b.redeclared(m.decl)
		return nil
	}
	sig := fn.Signature()
	before := b.rep.errors
	if !b.judgeName(m, sig) {
		return nil
	}
	receiver := b.receiver(m, sig)
	params := flatten(m.decl.Type.Params, sig.Params())
	b.judgeParams(m, sig, params)
	b.judgeResults(m, sig)
	if b.rep.errors > before {
		return nil
	}

	s := &signature{params: params[1:], at: m.decl}
	if sig.Results().Len() == 2 {
		s.result = sig.Results().At(0).Type()
	}
	s.task = b.task(m, Func{Name: fn.Name(), Pos: name, Receiver: receiver})
	if len(s.params) == 0 && m.options.Args != "" {
		b.rep.errorf(m.options.Places["args"], CodeIdleOption, "leave it out", "args=%s names a struct for the parameters, and func %s has none", m.options.Args, fn.Name())
	}
	if s.task == nil || b.rep.errors > before {
		return nil
	}
	return s
}

// redeclared reports a function that the compiler does not know because its name is
// taken.
func (b *builder) redeclared(decl *ast.FuncDecl) {
	pos := b.position(decl.Name.Pos())
	if other := b.view.pkg.Scope().Lookup(decl.Name.Name); other != nil && decl.Recv == nil {
		b.rep.errorf(pos, CodeNameTaken, "rename or remove one of them; is this file a copy?", "%s is declared twice", decl.Name.Name).
			see(b.position(other.Pos()), "the first one")
		return
	}
	b.rep.errorf(pos, CodeUnresolvedType, "see what go vet says of it", "the compiler does not know func %s", decl.Name.Name)
}

// task gives the task all that does not depend on types.
func (b *builder) task(m marked, f Func) *Task {
	task := &Task{
		Name:    m.options.Name,
		NamePos: m.at.pos,
		Doc:     docText(m.decl),
		Source:  fmt.Sprintf("%s:%d", filepath.Base(f.Pos.Filename), f.Pos.Line),
		Var:     m.options.Var,
		VarPos:  f.Pos,
		Func:    f,
		Enqueue: m.options.Func,
		Options: m.options,
	}
	if pos, given := m.options.Places["name"]; given {
		task.NamePos = pos
	} else {
		pkg := b.src.name
		if pkg == "main" {
			pkg = path.Base(b.src.PkgPath)
		}
		task.Name = taskName(pkg, f)
		if len(task.Name) > longestName {
			b.rep.errorf(f.Pos, CodeBadValue, "add name=… to the directive", "the name that the task would have takes %d bytes, and stores take %d at most", len(task.Name), longestName)
		} else if !plainASCII(task.Name) {
			b.rep.errorf(f.Pos, CodeBadValue, "add name=… to the directive", "%s is not a name that every store can hold", task.Name)
		}
	}
	if pos, given := m.options.Places["var"]; given {
		task.VarPos = pos
	} else {
		name, ok := variableName(f)
		if !ok {
			b.rep.errorf(f.Pos, CodeUnexportable, "add var=… to the directive", "%s has no exported form to name the task's variable by", f.Name)
			return nil
		}
		task.Var = name
	}
	return task
}

// judgeName refuses functions that nobody may call, for which nothing else matters,
// and generic ones.
func (b *builder) judgeName(m marked, sig *types.Signature) bool {
	pos, name := b.position(m.decl.Name.Pos()), m.decl.Name.Name
	switch {
	case name == "_":
		b.rep.errorf(pos, CodeReserved, "give the function a name", "func _ cannot be called")
		return false
	case m.decl.Recv == nil && (name == "init" || name == "main" && b.src.name == "main"):
		b.rep.errorf(pos, CodeReserved, "move the work into a function of its own", "func %s belongs to Go and cannot be a task", name)
		return false
	}
	if params := m.decl.Type.TypeParams; params != nil {
		b.rep.errorf(b.position(params.Pos()), CodeGeneric, "write one task for each type, which may call the generic function",
			"func %s is generic: a task has one name and one type of args", name)
	}
	if sig.RecvTypeParams().Len() > 0 {
		b.rep.errorf(b.position(m.decl.Recv.Pos()), CodeGeneric, "write the method on a type that is not generic",
			"%s is a method of a generic type: a task has one name and one type of args", name)
	}
	return true
}

// receiver gives what a method hangs on, nil for a plain function.
func (b *builder) receiver(m marked, sig *types.Signature) *Receiver {
	if sig.Recv() == nil || sig.RecvTypeParams().Len() > 0 {
		return nil
	}
	declared := m.decl.Recv.List[0]
	t := types.Unalias(sig.Recv().Type())
	base := t
	if p, ok := t.(*types.Pointer); ok {
		base = types.Unalias(p.Elem())
	}
	named, ok := base.(*types.Named)
	if !ok {
		b.unresolved(declared.Pos(), declared.End(), "the receiver")
		return nil
	}
	r := &Receiver{Base: named.Obj().Name()}
	r.Type = b.goType(t, trail{pos: b.position(declared.Pos()), path: "the receiver"})
	if len(declared.Names) > 0 {
		r.Name = declared.Names[0].Name
	}
	return r
}

// flatten gives the parameters one by one.
func flatten(list *ast.FieldList, tuple *types.Tuple) []parameter {
	var params []parameter
	for _, field := range list.List {
		for i := range max(len(field.Names), 1) {
			p := parameter{expr: field.Type, typ: tuple.At(len(params)).Type()}
			if len(field.Names) > 0 {
				p.name = field.Names[i]
			}
			params = append(params, p)
		}
	}
	return params
}

func (b *builder) judgeParams(m marked, sig *types.Signature, params []parameter) {
	name := m.decl.Name.Name
	switch {
	case len(params) == 0:
		b.rep.errorf(b.position(m.decl.Type.Params.Pos()), CodeNoContext, shapes, "func %s takes no context", name)
		return
	case isInvalid(params[0].typ):
		b.unresolved(params[0].expr.Pos(), params[0].expr.End(), "the first parameter")
	case !isContext(params[0].typ):
		b.rep.errorf(b.position(params[0].expr.Pos()), CodeNoContext, shapes, "func %s does not take a context first", name)
	}
	if sig.Variadic() {
		last := params[len(params)-1]
		b.rep.errorf(b.position(last.expr.Pos()), CodeVariadic, "take a slice", "func %s is variadic: what it is called with has no fixed form", name)
	}
	if len(params) <= 2 {
		return
	}
	for _, p := range params[1:] {
		switch {
		case p.name == nil:
			b.rep.errorf(b.position(p.expr.Pos()), CodeUnnamedParam, "name each parameter: its name is what its value travels under",
				"func %s has several parameters, and one has no name", name)
		case p.name.Name == "_":
			b.rep.errorf(b.position(p.name.Pos()), CodeUnnamedParam, "name each parameter: its name is what its value travels under",
				"func %s has several parameters, and one is called _", name)
		}
	}
}

func (b *builder) judgeResults(m marked, sig *types.Signature) {
	results := m.decl.Type.Results
	n := sig.Results().Len()
	if n == 0 {
		b.rep.errorf(b.position(m.decl.Type.End()), CodeResults, "give it the result error", "func %s gives no error: the worker has to learn how it went", m.decl.Name.Name)
		return
	}
	last := results.List[len(results.List)-1]
	switch t := sig.Results().At(n - 1).Type(); {
	case isInvalid(t):
		b.unresolved(last.Type.Pos(), last.Type.End(), "the last result")
	case !types.Identical(t, errorType) && b.redeclaresError(last.Type):
		b.rep.errorf(b.position(last.Type.Pos()), CodeHiddenUniverse, "rename that: a task's last result is Go's own error",
			"the last result of func %s is not Go's own error, but what this package declares under that name", m.decl.Name.Name).
			see(b.model.Taken["error"], "error is declared here")
	case !types.Identical(t, errorType):
		b.rep.errorf(b.position(last.Type.Pos()), CodeResults, "make the last result exactly error", "the last result of func %s is %s", m.decl.Name.Name, b.short(t))
	case n > 2:
		b.rep.errorf(b.position(results.Pos()), CodeResults, "put the results into one struct", "func %s gives %d results besides its error", m.decl.Name.Name, n-1)
	}
}

// redeclaresError tells whether an expression says error where that is a name of the
// package's own.
func (b *builder) redeclaresError(expr ast.Expr) bool {
	id, ok := expr.(*ast.Ident)
	_, taken := b.model.Taken["error"]
	return ok && taken && id.Name == "error"
}

func isInvalid(t types.Type) bool {
	return types.Unalias(t) == types.Typ[types.Invalid]
}

func isContext(t types.Type) bool { return isNamed(t, "context", "Context") }

// isNamed tells whether t is the type of that name, under whatever alias.
func isNamed(t types.Type, pkg, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	return named.Obj().Pkg().Path() == pkg && named.Obj().Name() == name
}
