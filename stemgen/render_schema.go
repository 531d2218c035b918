package stemgen

import (
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"
)

// schema writes what the definition says of the task's args and result.
func (r *renderer) schema(task *Task) *jen.Statement {
	fields := []jen.Code{field("Fingerprint", hex(task.Schema.Fingerprint))}
	if len(task.Schema.Older) > 0 {
		var older []jen.Code
		for _, n := range task.Schema.Older {
			older = append(older, hex(n))
		}
		fields = append(fields, field("Older", jen.Index().Uint64().Values(older...)))
	}
	if task.Args != nil {
		fields = append(fields, field("Args", jen.Id(schemaName(task.Args))))
	}
	if task.Result != nil {
		fields = append(fields, field("Result", jen.Id(schemaName(task.Result))))
	}
	return jen.Qual(runtimePath, "Schema").Add(lines("{", "}", fields...))
}

// hex writes a fingerprint as stem.lock does.
func hex(n uint64) *jen.Statement { return jen.Op(fingerprint(n).String()) }

// schemaName gives the constant that holds the schema of a type as args or result, and
// definitionName that of its definition, of which the former are put together.
func schemaName(t *Type) string     { return "stemSchema" + t.Suffix }
func definitionName(t *Type) string { return "stemDef" + t.Suffix }

// schemas writes the JSON Schemas of all that tasks carry, each type once.
func (r *renderer) schemas() {
	var whole, parts []jen.Code
	written := make(map[*Type]bool)
	for _, t := range r.model.carried() {
		definitions := t.definitions()
		whole = append(whole, jen.Id(schemaName(t)).Op("=").Op(wholeSchema(t, definitions)))
		for _, d := range definitions {
			if !written[d] {
				written[d] = true
				parts = append(parts, jen.Id(definitionName(d)).Op("=").Op(tagLiteral(d.definition())))
			}
		}
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

// wholeSchema writes a schema that stands for itself, as an expression that puts it together
// from constants.
func wholeSchema(t *Type, definitions []*Type) string {
	const draft = `"https://json-schema.org/draft/2020-12/schema"`
	s := append(jsonSchema{{"$schema", draft}}, t.schema()...)
	if len(definitions) == 0 {
		return tagLiteral(s.String())
	}
	head := strings.TrimSuffix(s.with("$defs", "{").String(), "}")
	return tagLiteral(head) + " + " + chain(definitions) + " + `}}`"
}

// chain writes the sum of definitions. A long one is parted by parentheses: to format a sum
// takes time by the square of its length.
func chain(definitions []*Type) string {
	const longest = 64
	var sums []string
	for part := range slices.Chunk(definitions, longest) {
		var names []string
		for _, d := range part {
			names = append(names, definitionName(d))
		}
		sums = append(sums, strings.Join(names, " + `,` + "))
	}
	if len(sums) == 1 {
		return sums[0]
	}
	return "(" + strings.Join(sums, ") + `,` + (") + ")"
}
