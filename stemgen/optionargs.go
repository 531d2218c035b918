package stemgen

import (
	"strings"

	"github.com/gostem/gostem/internal/nearest"
)

// checkOptions judges the options that name fields of the args, which only the model
// knows, and says what the fields are called on the wire.
func checkOptions(model *Package, rep *report) {
	for _, task := range model.Tasks {
		for i := range task.Options.ArgsFields {
			ref := &task.Options.ArgsFields[i]
			wire, message, fix := task.field(ref.Name)
			if message != "" {
				rep.errorf(ref.Pos, CodeBadValue, fix, "%s: %s", ref.Option, message)
			}
			ref.Wire = wire
		}
	}
}

// field gives the name on the wire of the field of that name, in Go or on the wire, or says why the
// task's args have none.
func (task *Task) field(name string) (wire, message, fix string) {
	if task.Args == nil {
		return "", "func " + task.Func.Name + " takes no args", "leave the option out"
	}
	args := task.Args.Inner()
	if args.Kind != Struct {
		return "", "the args are no struct, and have no fields", "take a struct, or several parameters"
	}
	var names []string
	for _, f := range args.Fields {
		inGo := f.Select[strings.LastIndexByte(f.Select, '.')+1:]
		if name == inGo || name == f.Wire {
			if strings.Contains(f.Wire, ".") {
				return "", "the name of field " + inGo + " on the wire has a point in it, which parts a field from one within it", "give it another name in its tag"
			}
			return f.Wire, "", ""
		}
		names = append(names, inGo)
	}
	fix = "the fields are " + strings.Join(names, ", ")
	if guess := nearest.To(name, names); guess != "" {
		fix = "did you mean " + guess + "?"
	}
	return "", "the args have no field " + name, fix
}
