package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gostem/gostem/stem/ops"
)

// changeView is what is shown of a change.
type changeView struct {
	Matched int             `json:"matched"`
	Changed int             `json:"changed"`
	Skipped int             `json:"skipped"`
	More    bool            `json:"more"`
	DryRun  bool            `json:"dry_run"`
	IDs     []string        `json:"ids"`
	Errors  []itemErrorView `json:"errors,omitempty"`
}

// itemErrorView tells why one of many was not changed.
type itemErrorView struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// showChange writes what became of a change; done says it in a word, such as "deleted". What failed of it is an error.
func (p *program) showChange(c ops.Change, done, things string, err error) error {
	view := changeView{Matched: c.Matched, Changed: c.Changed, Skipped: c.Skipped, More: c.More, DryRun: c.DryRun, IDs: append([]string{}, c.IDs...)}
	for _, e := range c.Errors {
		view.Errors = append(view.Errors, itemErrorView{e.ID, e.Err.Error()})
	}
	if err != nil && c.Matched == 0 {
		return err
	}
	return errors.Join(p.writeChange(view, done, things), err, notChanged(c.Errors, done, things))
}

// notChanged is the error of those that were not changed. Its exit code is theirs, where that is the same for all.
func notChanged(items []ops.ItemError, done, things string) error {
	if len(items) == 0 {
		return nil
	}
	const most = 10
	code := exitCode(items[0].Err)
	text := fmt.Sprintf("%d %s not %s:", len(items), things, done)
	for i, e := range items {
		if exitCode(e.Err) != code {
			code = ExitFailed
		}
		if i < most {
			text += "\n  " + e.ID + ": " + escape(strings.TrimPrefix(e.Err.Error(), "ops: "))
		}
	}
	if more := len(items) - most; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return &exitError{code, errors.New(text)}
}

// writeChange writes the ids of what was changed to standard output, one a line, and the rest as talk; programs get it all as one value.
func (p *program) writeChange(v changeView, done, things string) error {
	if written, err := p.printer.structured(v); written {
		return err
	}
	for _, id := range v.IDs {
		if _, err := fmt.Fprintln(p.stdout, escape(id)); err != nil {
			return err
		}
	}
	count := v.Changed
	if v.DryRun {
		done, count = "would be "+done, v.Matched
	}
	text := fmt.Sprintf("%d %s %s", count, things, done)
	if v.Skipped > 0 {
		text += fmt.Sprintf(", %d left alone", v.Skipped)
	}
	if v.More {
		text += "; there may be more"
	}
	p.printer.note("%s.", text)
	return nil
}
