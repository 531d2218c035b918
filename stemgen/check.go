package stemgen

import (
	"cmp"
	"go/ast"
	"go/doc"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// checkNames finds names that would be declared twice once the generated file is
// there, and settles which task the package-level Enqueue is for.
func checkNames(model *Package, rep *report) {
	chooseEnqueue(model)
	c := &nameCheck{taken: model.Taken, generated: make(Names), rep: rep}
	for _, task := range model.Tasks {
		c.claim(task.Var, task.VarPos, "the variable of task "+task.Name, "choose another with var=…, or rename yours")
		if args := task.ArgsType; args != nil {
			c.claim(args.Name, args.Pos, "the struct for the args of task "+task.Name, "choose another with args=…, or rename yours")
		}
		if task.Enqueue != "" {
			pos, given := task.Options.Places["func"]
			if !given {
				pos = task.Func.Pos
			}
			c.claim(task.Enqueue, pos, "the function that enqueues task "+task.Name, "choose another with func=…, or rename yours")
		}
	}
	for _, group := range handlerGroups(model) {
		c.claim(group.register(), group.tasks[0].Func.Pos, "the function that binds handlers", "rename yours")
	}
	if len(model.Tasks) > 0 {
		c.claim("Tasks", model.Tasks[0].Func.Pos, "the list of the package's tasks", "rename yours")
	}
}

type nameCheck struct {
	taken     Names // by the package's author
	generated Names
	rep       *report
}

// claim takes a name for something generated.
func (c *nameCheck) claim(name string, pos token.Position, what, fix string) {
	if other, taken := c.taken[name]; taken {
		c.rep.errorf(pos, CodeNameTaken, fix, "%s is to be called %s, but that name is taken", what, name).see(other, name+" is declared here")
		return
	}
	if other, taken := c.generated[name]; taken {
		c.rep.errorf(pos, CodeNameTaken, fix, "%s is to be called %s, but so is something else that is generated", what, name).
			see(other, "it is made for this")
		return
	}
	c.generated[name] = pos
}

// chooseEnqueue gives the task whose function bears its package's name the function
// Enqueue, unless its author says otherwise or has an Enqueue already.
func chooseEnqueue(model *Package) {
	if _, taken := model.Taken["Enqueue"]; taken {
		return
	}
	for _, task := range model.Tasks {
		if task.Enqueue == "Enqueue" {
			return
		}
	}
	for _, task := range model.Tasks {
		if task.Enqueue == "" && task.Func.Receiver == nil && strings.EqualFold(task.Func.Name, model.Name) {
			task.Enqueue = "Enqueue"
			return
		}
	}
}

// A handlerGroup is the tasks that one Register function binds: plain functions, or
// the methods of one type.
type handlerGroup struct {
	receiver *Receiver // nil for plain functions
	tasks    []*Task
}

func (g handlerGroup) register() string {
	if g.receiver == nil {
		return "Register"
	}
	return "Register" + upperFirst(g.receiver.Base)
}

// handlerGroups gives the groups in the order of their first tasks, plain functions
// first. Without plain functions there is no group for them, and no Register: one
// that binds nothing would only hide that RegisterMailer was forgotten.
func handlerGroups(model *Package) []handlerGroup {
	var plain handlerGroup
	var methods []handlerGroup
	for _, task := range model.Tasks {
		r := task.Func.Receiver
		if r == nil {
			plain.tasks = append(plain.tasks, task)
			continue
		}
		i := slices.IndexFunc(methods, func(g handlerGroup) bool { return g.receiver.Base == r.Base })
		if i < 0 {
			methods = append(methods, handlerGroup{receiver: r})
			i = len(methods) - 1
		}
		group := &methods[i]
		group.tasks = append(group.tasks, task)
		if r.Type.Form == PointerForm && group.receiver.Type.Form != PointerForm {
			group.receiver = &Receiver{Name: cmp.Or(group.receiver.Name, r.Name), Type: r.Type, Base: r.Base} // it has the value's methods too
		}
	}
	if plain.tasks == nil {
		return methods
	}
	return append([]handlerGroup{plain}, methods...)
}

// checkTaskNames finds tasks of one name, or with an old name that is another's,
// anywhere in the run: a worker that knows both could not tell them apart.
func checkTaskNames(results []*result) {
	names := make(taskNames)
	for _, r := range results {
		for _, task := range r.tasks() {
			names.claim(task, r.rep)
		}
	}
	for _, r := range results {
		for _, task := range r.tasks() {
			for _, alias := range task.Options.Aliases {
				names.claimAlias(alias, task, r.rep)
			}
		}
	}
}

// taskNames tells whose the names and aliases of a run's tasks are.
type taskNames map[string]nameOwner

type nameOwner struct {
	task *Task
	pos  token.Position
}

func (names taskNames) claim(task *Task, rep *report) {
	if owner, taken := names[task.Name]; taken {
		rep.errorf(task.NamePos, CodeDuplicateTask, "give it another with name=…", "task %s exists already", task.Name).see(owner.pos, "the other one")
		return
	}
	names[task.Name] = nameOwner{task, task.NamePos}
}

func (names taskNames) claimAlias(alias Listed, task *Task, rep *report) {
	owner, taken := names[alias.Text]
	switch {
	case !taken:
		names[alias.Text] = nameOwner{task, alias.Pos}
	case owner.task == task:
		rep.errorf(alias.Pos, CodeIdleOption, "leave it out", "alias %s is the name that the task has now", alias.Text)
	default:
		rep.errorf(alias.Pos, CodeDuplicateTask, "an old name can be served by one task only: leave it out here or there",
			"alias %s of task %s is a name of task %s", alias.Text, task.Name, owner.task.Name).see(owner.pos, "the other one")
	}
}

// checkUniverse finds predeclared names that the package declares anew and that the
// generated file needs in their first meaning.
func checkUniverse(generated *ast.File, model *Package, rep *report) {
	hidden := maps.Clone(model.Taken)
	maps.DeleteFunc(hidden, func(name string, _ token.Position) bool { return !doc.IsPredeclared(name) })
	if len(hidden) == 0 {
		return
	}
	needed := neededNames(generated)
	for name, pos := range hidden {
		if needed[name] {
			rep.errorf(pos, CodeHiddenUniverse, "rename it", "generated code needs Go's own %s, which this package declares anew", name)
		}
	}
}

// neededNames gives the names that a file refers to, or declares, other than as fields
// and methods.
func neededNames(file *ast.File) map[string]bool {
	needed := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			ast.Inspect(n.X, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					needed[id.Name] = true
				}
				return true
			})
			return false
		case *ast.Ident:
			needed[n.Name] = true
		}
		return true
	})
	return needed
}
