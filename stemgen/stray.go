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
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
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

// reportBroken reports what keeps a package from being read at all. What is broken
// in code that no task touches is none of our business.
func reportBroken(src *source, rep *report) bool {
	said := make(map[string]bool) // files whose first error has been reported: the rest follows from it
	for _, err := range src.Errors {
		pos := parsePosition(err.Pos)
		switch {
		case said[pos.Filename]:
			continue
		case len(src.files) == 0:
			code, message, fix := judgeLoad(err.Msg)
			rep.errorf(pos, code, fix, "%s: %s", src.ID, message)
		case err.Kind == packages.ParseError && hasDirective(pos.Filename):
			rep.errorf(pos, CodeSyntax, "mend the file first: until it parses, its tasks are not known", "%s", strings.TrimSpace(err.Msg))
		default:
			continue
		}
		said[pos.Filename] = true
	}
	return len(said) > 0
}

// judgeLoad parts what the go command says of a package into what is wrong and what
// to do.
func judgeLoad(said string) (code Code, message, fix string) {
	message, fix = goAdvice(said)
	if strings.Contains(message, "outside main module") || strings.Contains(message, "does not contain") {
		return CodeOutsideModule, message, "run stemgen inside the module that the package is of, or add that to go.work"
	}
	return CodeBadPackage, message, fix
}

// reportMixed reports files that say to be of another package than the first.
func reportMixed(fset *token.FileSet, src *source, rep *report) (found bool) {
	var first *ast.File
	for _, file := range src.files {
		switch {
		case !saysPackage(file):
		case first == nil:
			first = file
		case file.Name.Name != src.name:
			rep.errorf(fset.Position(file.Name.Pos()), CodeMixedPackages, "write package "+src.name+" here too, or move one of the files to a folder of its own",
				"found packages %s and %s: the files of a folder are one package", src.name, file.Name.Name).
				see(fset.Position(first.Name.Pos()), "package "+src.name)
			found = true
		}
	}
	return found
}

func hasDirective(name string) bool {
	content, err := os.ReadFile(name)
	return err == nil && bytes.Contains(content, []byte(directiveStart))
}

// parsePosition reads "file:line:col", where the last two may be missing.
func parsePosition(s string) token.Position {
	var numbers []int
	for range 2 {
		i := strings.LastIndexByte(s, ':')
		n, err := strconv.Atoi(s[i+1:])
		if i < 0 || err != nil {
			break
		}
		numbers = append(numbers, n)
		s = s[:i]
	}
	pos := token.Position{Filename: s}
	switch len(numbers) {
	case 1:
		pos.Line = numbers[0]
	case 2:
		pos.Line, pos.Column = numbers[1], numbers[0]
	}
	if s == "-" {
		pos.Filename = ""
	}
	return pos
}
