package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm asks before something that cannot be taken back, or concerns many. --yes answers it; where nobody can, it is refused.
func (p *program) confirm(what string, args ...any) error {
	question := escape(fmt.Sprintf(what, args...))
	if p.flags.yes {
		return nil
	}
	if file, ok := p.stdin.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return refusedf("%s: nobody is there to confirm it: say --yes", question)
	}
	fmt.Fprintf(p.stderr, "%s? [y/N] ", question)
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return refusedf("not confirmed")
}
