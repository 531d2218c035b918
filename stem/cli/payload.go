package cli

import (
	"encoding/json"
	"slices"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// payload shows the args of a task, or its result, with the names that the program's own schema of it gives. What
// the program does not know is shown as it lies in the store, and no args are not shown at all.
func (p *program) payload(s *ops.Service, task string, schema func(stem.Schema) string, payload []byte) json.RawMessage {
	if len(payload) == 0 {
		return nil
	}
	var text string
	specs, _ := s.Types() // which fails where there is no registry
	if i := slices.IndexFunc(specs, func(spec stem.TaskSpec) bool {
		return spec.Name == task || slices.Contains(spec.Aliases, task)
	}); i >= 0 {
		text = schema(specs[i].Schema)
	}
	form, err := ops.NewForm(text)
	if err != nil {
		form = new(ops.Form)
	}
	return json.RawMessage(form.JSON(payload, ops.View{Mask: p.cfg.Mask}))
}

func schemaOfArgs(s stem.Schema) string   { return s.Args }
func schemaOfResult(s stem.Schema) string { return s.Result }
