package stemgen

import "strings"

// checkOptions judges the options that name fields of the args, which only the model
// knows.
func checkOptions(model *Package, rep *report) {
	for _, task := range model.Tasks {
		judged := make(map[string]bool)
		for _, ref := range task.Options.ArgsFields {
			if message, fix := task.lacks(ref.Name); message != "" {
				rep.errorf(ref.Pos, CodeBadValue, fix, "%s: %s", ref.Option, message)
				judged[ref.Option] = true
			}
		}
		for _, ref := range task.Options.ArgsFields {
			if !judged[ref.Option] {
				notYet(rep, ref.Option, ref.OptionPos)
				judged[ref.Option] = true
			}
		}
	}
}

// lacks says why the task's args have no field of that name, in Go or on the wire. It
// gives "" where they have.
func (task *Task) lacks(name string) (message, fix string) {
	if task.Args == nil {
		return "func " + task.Func.Name + " takes no args", "leave the option out"
	}
	args := task.Args.Inner()
	if args.Kind != Struct {
		return "the args are no struct, and have no fields", "take a struct, or several parameters"
	}
	var names []string
	for _, f := range args.Fields {
		inGo := f.Select[strings.LastIndexByte(f.Select, '.')+1:]
		if name == inGo || name == f.Wire {
			return "", ""
		}
		names = append(names, inGo)
	}
	fix = "the fields are " + strings.Join(names, ", ")
	if guess := nearest(name, names); guess != "" {
		fix = "did you mean " + guess + "?"
	}
	return "the args have no field " + name, fix
}
