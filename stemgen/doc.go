// Package stemgen writes the code that makes tasks of plain Go functions.
//
// It looks for functions marked //stem:task and gives each package that has any one
// file, stem_gen.go: a typed definition of each task, a codec for what it takes and
// gives, and the functions that bind handlers; and beside it stem.lock, which remembers
// what the tasks looked like on the wire. Types marked //stem:codec get a codec alone. [Generate] says what should be
// written, and what stands in the way; [File.Write] writes it.
//
// The code is a pipeline. To read it, follow a package through it:
//
//	load.go          syntax of the matched packages, export data of what they import
//	placement.go     which comments are directives, and which function or type each stands on;
//	                 stray.go those in files that not every build compiles
//	broken.go        packages that cannot be read
//	directive.go     a directive into words; option.go the words into options, optionvalue.go
//	                 how their values are written
//	typecheck.go     the package as the type checker sees it, with and without generated code
//	build.go         types into the model: signature.go functions, codectype.go types with codecs,
//	                 wiretype.go and structfield.go how types travel, gotype.go how they are
//	                 written, typedoc.go what comments say of them, names.go what things are called,
//	                 cycle.go what holds itself, guard.go what may not change unseen, unresolved.go
//	                 what nobody knows
//	model.go         the model: plain data, past which nothing knows go/types
//	check.go         names that would be declared twice; optionargs.go options that name fields of
//	                 the args
//	evolve.go        what became of tasks since the lock was written (lock.go, lockread.go): schema.go
//	                 and schematext.go how values look on the wire, compare.go what older ones become
//	render.go        the model into code: render_task.go definitions, render_codec.go codecs,
//	                 render_append.go and render_read.go their functions, render_guard.go guards,
//	                 render_schema.go and jsonschema.go what the values look like
//	genfile.go       the header of a generated file, and what it tells of its past
//	write.go         onto the disk
//
// generate.go puts these in order. Everything that is wrong is collected as a
// [Diagnostic] on the way (diagnostic.go), so that one run shows it all; suggest.go guesses
// what a misspelt word was meant to be.
package stemgen
