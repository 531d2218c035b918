package stem

import (
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"strings"
)

// stackDigest is a short name of the lines of code in a stack. The number of the
// goroutine, args and offsets differ from one run to the next and are left out.
func stackDigest(stack string) string {
	if stack == "" {
		return ""
	}
	digest := fnv.New64a()
	for line := range strings.Lines(stack) {
		if at, _, ok := strings.Cut(line, " +0x"); ok && strings.HasPrefix(line, "\t") {
			_, _ = io.WriteString(digest, at)
		}
	}
	return fmt.Sprintf("%016x", digest.Sum64())
}

// panickedAt names the function and the line of a panic by its stack, which debug.Stack gave while it was
// recovered: the first frame below the call of panic that is not the runtime's. "" where the
// stack does not tell.
func panickedAt(stack string) string {
	below := strings.LastIndex(stack, "\npanic(") // the first one, where a panic came of another
	if below < 0 {
		return ""
	}
	function := ""
	for line := range strings.Lines(stack[below+1:]) {
		place, ofFile := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\t")
		if !ofFile {
			function = place[:max(strings.LastIndexByte(place, '('), 0)] // without its args
			continue
		}
		if function == "panic" || function == "" || strings.HasPrefix(function, "runtime.") {
			continue
		}
		place, _, _ = strings.Cut(place, " +0x")
		return function + " (" + path.Base(place) + ")"
	}
	return ""
}
