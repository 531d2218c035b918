package stemgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"sync"
)

// Config says what to generate.
type Config struct {
	// Dir is where patterns are resolved. The default is the current directory.
	Dir string
	// Patterns name packages as the go command understands them. The default is ".".
	Patterns []string
	// Tags are build tags, separated by commas. The default is none.
	Tags string
	// Env is the environment of the go command. The default is that of this process.
	Env []string
	// Accept records changes in stem.lock that what is queued would not survive, instead
	// of warning of them. It does so only where nothing is wrong in any package.
	Accept bool
	// Check makes errors of these changes.
	Check bool
	// Logf is told what takes long. The default is silence.
	Logf func(format string, args ...any)
}

// Output is what a run has found and would write.
type Output struct {
	// Files are the generated files and the locks of all packages that have tasks or
	// had some, by path, the lock first: a run that is cut short between the two is
	// made good by the next. A package with errors has none: its files stay as they are.
	Files []File
	// Diagnostics are those of the whole run, by place.
	Diagnostics []Diagnostic
}

// A File is the generated file of one package, or its lock.
type File struct {
	Path string // absolute
	Have []byte // what is on disk; nil where there is none
	Want []byte // what should be; nil where the package has no tasks any more
}

// Generate reads the packages and says what should be written. It writes nothing and
// may be called concurrently. An error means that there was nothing to read, or that ctx
// is done; what is wrong with what was read is in the diagnostics.
func Generate(ctx context.Context, cfg Config) (Output, error) {
	prog, err := load(ctx, cfg)
	if err != nil {
		return Output{}, err
	}
	return prog.generate(ctx, cfg.verdict())
}

// generate takes every package through the pipeline, dependencies first.
func (prog *program) generate(ctx context.Context, v verdict) (Output, error) {
	prog.locks = prog.readLocks()
	var results []*result
	for _, src := range prog.sources {
		if ctx.Err() != nil {
			return Output{}, ctx.Err()
		}
		if r := prog.generateOne(src); r != nil {
			results = append(results, r)
		}
	}
	slices.SortFunc(results, func(a, b *result) int { return strings.Compare(a.src.dir, b.src.dir) })
	checkTaskNames(results)

	all := new(report)
	var out Output
	survey := newSurvey(results, v)
	for _, r := range results {
		if r.rep.errors == 0 {
			out.Files = append(out.Files, r.files(survey)...)
		}
		all.join(r.rep)
	}
	out.Diagnostics = all.sorted()
	return out, nil
}

// A result is what became of one package.
type result struct {
	src        *source
	rep        *report
	model      *Package // nil where there are no tasks
	have, want []byte
	lock       *lockState
}

// files gives the package's files, which nothing stands in the way of.
func (r *result) files(survey *survey) []File {
	lock := File{Path: r.src.lockPath(), Have: r.lock.have}
	if next := survey.settle(r.lock, r.rep); len(next.Tasks) > 0 {
		lock.Want = asBefore(next.content(), lock.Have)
	}
	code := File{Path: r.src.generatedPath(), Have: r.have, Want: r.want}
	if survey.verdict == refused && sameButForPlaces(code.Want, code.Have) {
		code.Want = code.Have // a line more above a task is nothing to check in
	}
	files := []File{lock, code}
	return slices.DeleteFunc(files, func(f File) bool { return f.Have == nil && f.Want == nil })
}

// asBefore gives what a file should be; line ends are the version control system's
// business.
func asBefore(want, have []byte) []byte {
	if bytes.Equal(normal(want), normal(have)) {
		return have
	}
	return want
}

func (r *result) tasks() []*Task {
	if r.model == nil {
		return nil
	}
	return r.model.Tasks
}

// generateOne takes one package through the pipeline. It gives nil for a package
// that stemgen has no business with.
func (prog *program) generateOne(src *source) *result {
	if !src.asked {
		return nil
	}
	r := &result{src: src, rep: new(report), lock: prog.locks.byDir[src.dir]}
	var funcs []marked
	for _, file := range src.files {
		funcs = append(funcs, findMarked(prog.fset, file, r.rep)...)
	}
	prog.reportStray(src, r.rep)
	have, err := src.readGenerated()
	switch {
	case err != nil && len(funcs) > 0:
		r.rep.errorf(token.Position{Filename: src.generatedPath()}, CodeForeignFile, "move it away: stemgen needs this name", "%s cannot be read: %s", GeneratedName, bare(err))
		return r
	case err != nil:
		have = nil // whatever it is, no task needs its name
	}
	r.have = have
	if !src.onlyGenerated(have) && reportBroken(src, r.rep) {
		return r
	}
	switch {
	case len(funcs) == 0 && len(r.rep.list) > 0:
		return r
	case len(funcs) == 0:
		if !isOurs(have) {
			r.have = nil
		}
		if !src.writable() || r.have == nil && r.lock.old == nil {
			return nil
		}
		if r.lock.report(r.rep) {
			return r
		}
		if r.have != nil && isEdited(have) {
			r.rep.errorf(token.Position{Filename: src.generatedPath(), Line: 1, Column: 1}, CodeHandEdited, "remove the file yourself, or put the directive back",
				"the package has no tasks any more, but its %s was edited by hand and is left alone", GeneratedName)
			return r
		}
		prog.checked[src.PkgPath] = prog.check(src, nil).pkg
		return r // what is left has no task any more
	case reportMixed(prog.fset, src, r.rep), !prog.mayGenerate(src, funcs, have, r.rep):
		return r
	}
	isTask := func(m marked) bool { return m.decl != nil }
	if slices.ContainsFunc(funcs, isTask) && r.lock.report(r.rep) {
		return r
	}
	r.lock.reportLost(have, r.rep)
	r.model, r.want = prog.compose(src, funcs, r.rep)
	r.want = asBefore(r.want, r.have)
	return r
}

// mayGenerate looks for what forbids to write into the package.
func (prog *program) mayGenerate(src *source, funcs []marked, have []byte, rep *report) bool {
	first := funcs[0].at.pos
	file := token.Position{Filename: src.generatedPath(), Line: 1, Column: 1}
	switch {
	case !src.writable():
		rep.errorf(first, CodeOutsideModule, "run stemgen inside that module", "package %s is not of this module", src.PkgPath)
		return false
	case have != nil && !isOurs(have):
		rep.errorf(file, CodeForeignFile, "rename the file, or delete it and generate again: stemgen needs this name", "%s was not written by stemgen and is left alone", GeneratedName)
		return false
	case have != nil && isNewer(have):
		rep.errorf(file, CodeNewerStemgen, updateTool, "a later stemgen wrote this file")
		return false
	case have != nil && isEdited(have):
		rep.warnf(file, CodeHandEdited, "change the function or its directive instead", "%s was edited by hand, and is written anew", GeneratedName)
	}
	if runtime := prog.byPath[runtimePath]; runtime == nil || len(runtime.GoFiles) == 0 {
		message, fix := "it was not found", "go get github.com/gostem/gostem"
		if runtime != nil && len(runtime.Errors) > 0 {
			message, fix = goAdvice(runtime.Errors[0].Msg)
		}
		if strings.Contains(message, "-mod=vendor") {
			message, fix = "the vendor directory does not hold it", fmt.Sprintf("import it once, for instance as _ %q, then run go mod vendor", runtimePath)
		}
		rep.errorf(first, CodeNoRuntime, fix, "generated code needs package %s: %s", runtimePath, message)
		return false
	}
	return true
}

// compose models, checks and renders the package. It gives no content where something
// is wrong.
func (prog *program) compose(src *source, funcs []marked, rep *report) (*Package, []byte) {
	before := rep.errors
	v, model := prog.model(src, funcs, rep)
	prog.checked[src.PkgPath] = v.pkg
	if rep.errors == before {
		checkOptions(model, rep)
	}
	checkNames(model, rep)
	if rep.errors > 0 {
		return model, nil
	}
	prog.locks.evolve(src, model)
	file, err := render(prog.fset, model)
	if err != nil {
		rep.errorf(funcs[0].at.pos, CodeInternal, reportBug, "the generated file does not parse: %s", err)
		return model, nil
	}
	checkUniverse(file, model, rep)
	if rep.errors > 0 {
		return model, nil
	}
	content, err := prog.prove(src, file)
	if err != nil {
		rep.errorf(funcs[0].at.pos, CodeInternal, reportBug, "the generated file would not compile: %s", err)
		return model, nil
	}
	return model, content
}

// prove gives the generated file as it is written, once it is known to compile. In a
// large package to format it takes about as long as to check it.
func (prog *program) prove(src *source, file *ast.File) (content []byte, err error) {
	var formatting sync.WaitGroup
	formatting.Go(func() { content, err = format(prog.fset, file) })
	v := prog.check(src, nil, file)
	formatting.Wait()
	prog.checked[src.PkgPath] = v.pkg
	if wrong, found := v.errorWithin(file.FileStart, file.FileEnd); found {
		return nil, errors.New(wrong.Msg)
	}
	return content, err
}

const (
	updateTool = "update the tool: go get -tool github.com/gostem/gostem/cmd/stemgen@latest"
	reportBug  = "this is a bug of stemgen's; please report it with the function and its types"
)

// model makes the package's model. Signatures may mention args structs that only the
// generated file declares: as long as that resolves more of them, the package is
// looked at again with these.
func (prog *program) model(src *source, funcs []marked, rep *report) (*view, *Package) {
	v := prog.check(src, make(map[*ast.Ident]types.Object))
	for missing := -1; ; {
		found := new(report)
		model := buildModel(prog, src, v, funcs, found)
		unresolved := found.count(CodeUnresolvedType)
		if unresolved > 0 && unresolved != missing {
			args, err := renderArgs(prog.fset, model)
			if err == nil && args != nil {
				missing = unresolved
				v = prog.check(src, make(map[*ast.Ident]types.Object), args)
				continue
			}
		}
		rep.join(found)
		return v, model
	}
}
