package stemgen

import (
	"strings"

	"github.com/dave/jennifer/jen"
)

// schema writes what the definition says of the task's args and result. It gives nil where
// there is nothing to say.
func (r *renderer) schema(task *Task) *jen.Statement {
	var fields []jen.Code
	if task.Args != nil {
		fields = append(fields, field("Args", jen.Id(schemaName(task.Args))))
	}
	if task.Result != nil {
		fields = append(fields, field("Result", jen.Id(schemaName(task.Result))))
	}
	if fields == nil {
		return nil
	}
	return jen.Qual(runtimePath, "Schema").Values(fields...)
}

// schemaName gives the constant that holds the schema of a type as args or result, and
// definitionName that of its definition, of which the former are put together.
func schemaName(t *Type) string     { return "stemSchema" + t.Suffix }
func definitionName(t *Type) string { return "stemDef" + t.Suffix }

// schemas writes the JSON Schemas of all that tasks carry, each type once.
func (r *renderer) schemas() {
	const draft = `{"$schema":"https://json-schema.org/draft/2020-12/schema",`
	var whole, parts []jen.Code
	written := make(map[string]bool)
	constant := func(list *[]jen.Code, name string, value *jen.Statement) {
		if !written[name] {
			written[name] = true
			*list = append(*list, jen.Id(name).Op("=").Add(value))
		}
	}
	for _, t := range r.model.carried() {
		body := strings.TrimPrefix(t.schema().String(), "{")
		definitions := t.definitions()
		if len(definitions) == 0 {
			constant(&whole, schemaName(t), rawText(strings.TrimSuffix(draft+body, "}")+"}"))
			continue
		}
		value := rawText(draft + strings.TrimSuffix(body, "}") + `,"$defs":{`)
		for i, d := range definitions {
			if i > 0 {
				value.Op("+").Op("`,`")
			}
			value.Op("+").Id(definitionName(d))
			constant(&parts, definitionName(d), rawText(d.definition()))
		}
		constant(&whole, schemaName(t), value.Op("+").Op("`}}`"))
	}
	if whole == nil {
		return
	}
	r.comment("What tasks carry, as JSON Schema (draft 2020-12).")
	r.file.Const().Defs(whole...)
	r.file.Line()
	if parts != nil {
		r.comment("The types that the schemas refer to.")
		r.file.Const().Defs(parts...)
		r.file.Line()
	}
}

// rawText writes a text on one line, as it is where Go can.
func rawText(text string) *jen.Statement { return jen.Op(tagLiteral(text)) }
