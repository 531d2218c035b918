package ops

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/gostem/gostem/stem"
)

// ShowArgs shows the args of a task as JSON, as [Form.JSON] does, with the names that the program's own definition of
// the task gives and with what Config.Mask names masked. What the program does not know is shown as it lies in
// the store. No args at all are nil.
func (s *Service) ShowArgs(task string, payload []byte) json.RawMessage {
	return s.show(task, schemaOfArgs, payload)
}

// ShowResult shows the value that a task has returned, in the same way.
func (s *Service) ShowResult(task string, payload []byte) json.RawMessage {
	return s.show(task, schemaOfResult, payload)
}

func schemaOfArgs(s stem.Schema) string   { return s.Args }
func schemaOfResult(s stem.Schema) string { return s.Result }

func (s *Service) show(task string, schema func(stem.Schema) string, payload []byte) json.RawMessage {
	if len(payload) == 0 {
		return nil
	}
	form := new(Form)
	if spec, err := s.spec(task); err == nil {
		if known, err := NewForm(schema(spec.Schema)); err == nil {
			form = known
		}
	}
	return form.JSON(payload, View{Mask: s.cfg.Mask})
}

// discreet takes out of what is wrong with args what nobody is to see of them: the error goes to logs and to observers,
// beyond the one who wrote the args.
func (s *Service) discreet(err error) error {
	var refused *FormError
	if len(s.cfg.Mask) == 0 || !errors.As(err, &refused) || refused.Value == "" {
		return err
	}
	path := strings.FieldsFunc(refused.Path, func(r rune) bool { return strings.ContainsRune(`.[]"`, r) })
	hidden := strings.ContainsAny(refused.Value, "{[") // there may be such a field within
	for _, name := range path {
		hidden = hidden || masks(s.cfg.Mask, name)
	}
	if hidden {
		refused.Value = strings.Trim(masked, `"`)
	}
	return err
}
