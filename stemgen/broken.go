package stemgen

import (
	"bytes"
	"go/ast"
	"go/token"
	"os"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

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
