package stemgen

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// reportStray reports directives in files that not every build compiles: tests, and
// files for some systems or tags only. The generated file is compiled everywhere and
// could not refer to them.
func (prog *program) reportStray(src *source, rep *report) {
	for _, file := range src.files {
		if line := constraintOf(prog.fset, file); line != "" {
			for _, m := range findMarked(prog.fset, file, new(report)) {
				rep.errorf(m.at.pos, CodeConstrained, "put the "+m.noun()+" into a file for all builds, and what differs into a function that it calls",
					"%s is compiled in some builds only (%s), its generated code in all", m, line)
			}
		}
	}
	others := slices.Clone(src.IgnoredFiles)
	if src.dir != "" {
		tests, _ := filepath.Glob(filepath.Join(src.dir, "*_test.go")) // the pattern is well-formed
		others = append(others, tests...)
	}
	slices.Sort(others)
	for _, name := range slices.Compact(others) {
		content, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(content, []byte(directiveStart)) {
			continue
		}
		file, err := parser.ParseFile(prog.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if file == nil || err != nil && len(file.Decls) == 0 {
			continue
		}
		for _, m := range findMarked(prog.fset, file, new(report)) {
			switch {
			case !strings.HasSuffix(name, "_test.go"):
				rep.errorf(m.at.pos, CodeConstrained, "put the "+m.noun()+" into a file for all builds", "%s is in a file that this build leaves out", m)
			case m.spec != nil:
				rep.errorf(m.at.pos, CodeTestFile, "move it out of the test", "%s is in a test, where its generated code cannot refer to it", m)
			default:
				rep.errorf(m.at.pos, CodeTestFile, "move it out of the test", "%s is in a test, where no worker finds it", m)
			}
		}
	}
}

// constraintOf says what keeps a file out of some builds, "" where nothing does. A
// constraint that names a version of Go only does not count.
func constraintOf(fset *token.FileSet, file *ast.File) string {
	for _, group := range file.Comments {
		if group.Pos() >= file.Package {
			break
		}
		for _, comment := range group.List {
			if !constraint.IsGoBuild(comment.Text) {
				continue
			}
			expr, err := constraint.Parse(comment.Text)
			if err != nil {
				continue
			}
			isVersion := func(tag string) bool { return strings.HasPrefix(tag, "go1.") }
			always := expr.Eval(isVersion) && expr.Eval(func(string) bool { return true })
			if !always {
				return expr.String()
			}
		}
	}
	name := fset.Position(file.Package).Filename // that of the author, also where cgo has rewritten the file
	nowhere := build.Context{GOOS: "nowhere", GOARCH: "nowhere", Compiler: "gc", ReleaseTags: build.Default.ReleaseTags, CgoEnabled: true}
	if matches, err := nowhere.MatchFile(filepath.Dir(name), filepath.Base(name)); err == nil && !matches {
		return filepath.Base(name)
	}
	return ""
}
