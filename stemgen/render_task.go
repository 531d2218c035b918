package stemgen

import (
	"fmt"
	"go/doc"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dave/jennifer/jen"
)

// handshake ties the file to the generation of the runtime that it was written for.
func (r *renderer) handshake() {
	r.file.Comment("This file and package stem must be of one generation. Where the next line does not")
	r.file.Comment("compile, update both to one version of Stem and run go generate.")
	r.file.Const().Id("_").Op("=").Qual(runtimePath, fmt.Sprintf("GeneratedCodeV%d", generation))
	r.file.Line()
}

// task writes the definition of a task, and what belongs to it alone.
func (r *renderer) task(task *Task) {
	r.comment("%s is task %s%s", task.Var, task.Name, what(task))
	define, codecs := "Define", []jen.Code{r.resultCodec(task)}
	if task.Args == nil {
		define = "DefineNoArgs"
	} else {
		codecs = append([]jen.Code{jen.Id(codecName(task.Args))}, codecs...)
	}
	r.file.Var().Id(task.Var).Op("=").Qual(runtimePath, define).Add(
		lines("(", ")", append([]jen.Code{r.spec(task)}, codecs...)...),
	)
	r.file.Line()
	if task.ArgsType != nil {
		r.argsType(task)
	}
	if task.Enqueue != "" {
		r.enqueue(task)
	}
	r.funcGuard(task)
}

// what says what a task does, in its author's first sentence.
func what(task *Task) string {
	if s := sentence(task.Doc); s != "" {
		return ": " + s
	}
	return ", which runs " + funcName(task.Func) + "."
}

func funcName(f Func) string {
	if f.Receiver == nil {
		return f.Name
	}
	return f.Receiver.Base + "." + f.Name
}

// comment writes a doc comment in lines of readable length.
func (r *renderer) comment(format string, args ...any) {
	const width = 90
	line := "//"
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len(line)+len(word) >= width {
			r.file.Comment(line)
			line = "//"
		}
		line += " " + word
	}
	r.file.Comment(line)
}

func (r *renderer) spec(task *Task) *jen.Statement {
	fields := []jen.Code{field("Name", jen.Lit(task.Name))}
	if task.Doc != "" {
		fields = append(fields, field("Description", text(task.Doc)))
	}
	fields = append(fields, field("Source", jen.Lit(task.Source)))
	if options := r.options(task.Options); len(options) > 0 {
		fields = append(fields, field("Options", jen.Index().Qual(runtimePath, "Option").Add(lines("{", "}", options...))))
	}
	if len(task.Options.Aliases) > 0 {
		fields = append(fields, field("Aliases", stringList(task.Options.Aliases)))
	}
	if len(task.Options.Tags) > 0 {
		fields = append(fields, field("Tags", stringList(task.Options.Tags)))
	}
	fields = append(fields, field("Schema", r.schema(task)))
	return jen.Qual(runtimePath, "TaskSpec").Add(lines("{", "}", fields...))
}

func field(name string, value *jen.Statement) *jen.Statement {
	return jen.Id(name).Op(":").Add(value)
}

func stringList(list []Listed) *jen.Statement {
	var texts []jen.Code
	for _, entry := range list {
		texts = append(texts, jen.Lit(entry.Text))
	}
	return jen.Index().String().Values(texts...)
}

// options writes what the directive asks for as calls of the runtime's options.
func (r *renderer) options(o Options) []jen.Code {
	var calls []jen.Code
	call := func(name string, args ...jen.Code) {
		calls = append(calls, jen.Qual(runtimePath, name).Call(args...))
	}
	if o.Queue != "" {
		call("OnQueue", jen.Lit(o.Queue))
	}
	if o.Priority != nil {
		call("Priority", jen.Lit(*o.Priority))
	}
	if o.Retries != nil {
		call("MaxRetries", jen.Lit(*o.Retries))
	}
	if o.RetryFor > 0 {
		call("RetryFor", duration(o.RetryFor))
	}
	if o.Backoff != nil {
		call("Backoff", backoff(*o.Backoff))
	}
	if o.Timeout > 0 {
		call("Timeout", duration(o.Timeout))
	}
	if o.SoftTimeout > 0 {
		call("SoftTimeout", duration(o.SoftTimeout))
	}
	if o.Heartbeat > 0 {
		call("HeartbeatTimeout", duration(o.Heartbeat))
	}
	if o.Expires > 0 {
		call("ExpiresIn", duration(o.Expires))
	}
	if o.Visibility > 0 {
		call("Visibility", duration(o.Visibility))
	}
	if o.Rate != nil {
		call("RateLimit", jen.Lit(o.Rate.Count), duration(o.Rate.Per))
	}
	if o.Burst != nil {
		call("Burst", jen.Lit(*o.Burst))
	}
	for _, ref := range o.ArgsFields {
		if ref.Option == "limit-key" {
			call("LimitKeyField", jen.Lit(ref.Wire))
		}
	}
	if o.LimitHeader != "" {
		call("LimitKeyHeader", jen.Lit(o.LimitHeader))
	}
	if o.Concurrency != nil {
		call("Concurrency", jen.Lit(*o.Concurrency))
	}
	if o.Unique != nil {
		call(unique(*o.Unique))
	}
	if fields := o.uniqueBy(); fields != nil {
		call("UniqueBy", fields...)
	}
	if o.OnConflict != "" {
		call("OnConflict", jen.Qual(runtimePath, "Conflict"+strings.ToUpper(o.OnConflict[:1])+o.OnConflict[1:]))
	}
	return calls
}

// unique gives the runtime's option for a uniqueness.
func unique(u Unique) (name string, arg jen.Code) {
	switch u.Until {
	case "until-done":
		return "Unique", jen.Qual(runtimePath, "UntilDone")
	case "until-started":
		return "Unique", jen.Qual(runtimePath, "UntilStarted")
	default:
		return "UniqueFor", duration(u.For)
	}
}

// uniqueBy gives the fields by which a task is unique, as they are called on the wire.
func (o Options) uniqueBy() (fields []jen.Code) {
	for _, ref := range o.ArgsFields {
		if ref.Option == "unique-by" {
			fields = append(fields, jen.Lit(ref.Wire))
		}
	}
	return fields
}

func backoff(b Backoff) *jen.Statement {
	switch b.Shape {
	case "fixed":
		return jen.Qual(runtimePath, "FixedBackoff").Call(duration(b.Base))
	case "linear":
		return jen.Qual(runtimePath, "LinearBackoff").Call(duration(b.Base), duration(b.Cap))
	default:
		return jen.Qual(runtimePath, "ExponentialBackoff").Call(duration(b.Base), duration(b.Cap))
	}
}

// argsType writes the struct that carries the parameters of a function.
func (r *renderer) argsType(task *Task) {
	var fields []jen.Code
	for i, f := range task.ArgsType.Fields {
		fields = append(fields, jen.Id(f.Name).Add(r.typ(task.Func.Params[i])).Op(tagLiteral(fmt.Sprintf("msgpack:%q", f.Wire))))
	}
	r.comment("%s carries the parameters of %s.", task.ArgsType.Name, funcName(task.Func))
	r.file.Type().Id(task.ArgsType.Name).Struct(fields...)
	r.file.Line()
}

// enqueue writes the package-level function that enqueues the task.
func (r *renderer) enqueue(task *Task) {
	params := []jen.Code{r.id("ctx").Qual("context", "Context")}
	passed := []jen.Code{r.id("ctx")}
	if task.Args != nil {
		params = append(params, r.id("args").Add(r.typ(task.Args.Go)))
		passed = append(passed, r.id("args"))
	}
	params = append(params, r.id("opts").Op("...").Qual(runtimePath, "Option"))
	passed = append(passed, r.id("opts").Op("..."))
	r.comment("%s puts %s into its queue, as %s.Enqueue does.", task.Enqueue, task.Name, task.Var)
	r.file.Func().Id(task.Enqueue).Params(params...).Params(
		jen.Qual(runtimePath, "Job").Types(r.resultType(task)), jen.Error(),
	).Block(
		jen.Return(jen.Id(task.Var).Dot("Enqueue").Call(passed...)),
	)
	r.file.Line()
}

// resultType is what the task gives besides an error.
func (r *renderer) resultType(task *Task) *jen.Statement {
	if task.Result == nil {
		return jen.Qual(runtimePath, "None")
	}
	return r.typ(*task.Func.Result)
}

func (r *renderer) resultCodec(task *Task) *jen.Statement {
	if task.Result == nil {
		return jen.Qual(runtimePath, "NoneCodec").Call()
	}
	return jen.Id(codecName(task.Result))
}

// register writes the function that binds a group's handlers.
func (r *renderer) register(group handlerGroup) {
	registry := r.local("r")
	params := []jen.Code{jen.Id(registry).Op("*").Qual(runtimePath, "Registry")}
	on := ""
	if group.receiver != nil {
		on = r.receiverName(*group.receiver, registry)
		params = append(params, jen.Id(on).Add(r.typ(group.receiver.Type)))
		r.comment("%s binds the handlers of the tasks that are methods of %s.", group.register(), group.receiver.Base)
	} else {
		r.comment("%s binds the handlers of this package's tasks.", group.register())
	}
	var calls []jen.Code
	for _, task := range group.tasks {
		handle := "Handle"
		if task.Args == nil {
			handle = "HandleNoArgs"
		}
		calls = append(calls, jen.Qual(runtimePath, handle).Call(jen.Id(registry), jen.Id(task.Var), r.handler(task, on)))
	}
	result := jen.Add(calls[0])
	if len(calls) > 1 {
		result = jen.Qual("errors", "Join").Add(lines("(", ")", calls...))
	}
	r.file.Func().Id(group.register()).Params(params...).Error().Block(jen.Return(result))
	r.file.Line()
}

// receiverName names the parameter that methods are taken from: as the author does,
// as long as that hides nothing.
func (r *renderer) receiverName(receiver Receiver, registry string) string {
	first, size := utf8.DecodeRuneInString(receiver.Base)
	letter := string(unicode.ToLower(first))
	for _, name := range []string{receiver.Name, letter + receiver.Base[size:], letter} {
		hides := r.inUse[name] || name == receiver.Base || doc.IsPredeclared(name)
		for _, imported := range r.imports {
			hides = hides || name == imported
		}
		switch name {
		case "_", registry, r.local("ctx"), r.local("args"):
		default:
			if !hides && token.IsIdentifier(name) {
				return name
			}
		}
	}
	return letter + "1"
}

// handler writes what runs a task: its function itself, or, where that has another
// form than the runtime asks for, one that calls it.
func (r *renderer) handler(task *Task, on string) *jen.Statement {
	fn := jen.Id(task.Func.Name)
	if on != "" {
		fn = jen.Id(on).Dot(task.Func.Name)
	}
	if task.ArgsType == nil && task.Result != nil {
		return fn
	}
	params := []jen.Code{r.id("ctx").Qual("context", "Context")}
	passed := []jen.Code{r.id("ctx")}
	switch {
	case task.ArgsType != nil:
		params = append(params, r.id("args").Id(task.ArgsType.Name))
		for _, f := range task.ArgsType.Fields {
			passed = append(passed, r.id("args").Dot(f.Name))
		}
	case task.Args != nil:
		params = append(params, r.id("args").Add(r.typ(task.Args.Go)))
		passed = append(passed, r.id("args"))
	}
	result := fn.Call(passed...)
	if task.Result == nil {
		result = jen.Qual(runtimePath, "None").Values().Op(",").Add(result)
	}
	return jen.Func().Params(params...).Params(r.resultType(task), jen.Error()).Block(jen.Return(result))
}

// tasks writes the list of all definitions.
func (r *renderer) tasks() {
	var all []jen.Code
	for _, task := range r.model.Tasks {
		all = append(all, jen.Id(task.Var))
	}
	r.comment("Tasks lists this package's tasks.")
	r.file.Func().Id("Tasks").Params().Index().Qual(runtimePath, "AnyTask").Block(
		jen.Return(jen.Index().Qual(runtimePath, "AnyTask").Values(all...)),
	)
	r.file.Line()
}
