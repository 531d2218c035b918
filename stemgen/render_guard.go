package stemgen

import "github.com/dave/jennifer/jen"

// guardName gives the name of the types that guards declare: the compiler's message
// shows it where what they guard has changed.
func (r *renderer) guardName() string { return r.local("runGoGenerateAgain") }

// guardComment stands above every guard.
const guardComment = "Where this does not compile, %s has changed: run go generate."

// funcGuard writes code that compiles as long as the task's function is what it was.
// It stands in a function that nothing calls: a package variable that held the task's
// function would be an initialization cycle as soon as that function refers to its
// own definition.
func (r *renderer) funcGuard(task *Task) {
	f := task.Func
	params := []jen.Code{jen.Qual("context", "Context")}
	for _, g := range f.Params {
		params = append(params, r.typ(g))
	}
	fn := jen.Id(f.Name)
	if f.Receiver != nil {
		params = append([]jen.Code{r.typ(f.Receiver.Type)}, params...)
		fn = jen.Parens(r.typ(f.Receiver.Type)).Dot(f.Name)
	}
	results := []jen.Code{jen.Error()}
	if f.Result != nil {
		results = append([]jen.Code{r.typ(*f.Result)}, results...)
	}
	r.comment(guardComment, funcName(f))
	r.file.Func().Id("_").Params().Block(
		jen.Type().Id(r.guardName()).Func().Params(params...).Params(results...),
		jen.Var().Id("_").Id(r.guardName()).Op("=").Add(fn),
	)
	r.file.Line()
}

// typeGuards writes code that compiles as long as the types are made of what they were
// made of. The conversion of a pointer copies nothing, a mutex least of all, and heeds
// names, types and order of fields, but not their tags: those only stemgen -check sees.
func (r *renderer) typeGuards() {
	v := r.local("v")
	for _, g := range r.model.Guards {
		name := g.Type.Name
		if g.Type.Pkg != r.model.Path {
			name = g.Type.Base + "." + name
		}
		r.comment(guardComment, name)
		r.file.Func().Id("_").Params(jen.Id(v).Op("*").Add(r.typ(g.Type))).Block(
			jen.Type().Id(r.guardName()).Add(r.typ(g.Underlying)),
			jen.Id("_").Op("=").Parens(jen.Op("*").Id(r.guardName())).Parens(jen.Id(v)),
		)
		r.file.Line()
	}
}
