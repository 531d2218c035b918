package stemgen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A lockError is why a lock cannot be read.
type lockError struct {
	code    Code
	offset  int // into the content
	message string
	fix     string
}

// The ways out of a lock that cannot be read.
const (
	fixLock     = "take back the last one that was committed, with git checkout " + LockName + " in its folder, and generate again"
	fixConflict = "keep the side of the branch that is deployed, git checkout --theirs " + LockName + " in a merge, --ours in a rebase, and generate again"
)

// parseLock reads a lock. What was changed by hand, such that fingerprints and schemas
// no longer belong together, is refused.
func parseLock(content []byte) (*lockFile, *lockError) {
	content = normal(content)
	if at := conflictMark(content); at >= 0 {
		return nil, &lockError{CodeLockConflict, at, "a merge has left its marks in " + LockName, fixConflict}
	}
	if err := checkKeys(content); err != nil {
		return nil, err
	}
	var header struct{ Format int }
	if err := json.Unmarshal(content, &header); err == nil && header.Format > lockFormat {
		return nil, &lockError{CodeNewerLock, 0, "a later stemgen wrote this lock", updateTool}
	}
	f := new(lockFile)
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, &lockError{CodeBadLock, int(dec.InputOffset()), "it does not read as a lock: " + strings.TrimPrefix(err.Error(), "json: "), fixLock}
	}
	if f.Format != lockFormat {
		return nil, &lockError{CodeBadLock, 0, fmt.Sprintf("it does not read as a lock: its format is %d", f.Format), fixLock}
	}
	for _, name := range sortedKeys(f.Tasks) {
		if err := f.Tasks[name].resolve(); err != nil {
			err.message = fmt.Sprintf("task %s: %s", name, err.message)
			err.offset = keyOffset(content, name)
			return nil, err
		}
	}
	return f, nil
}

// conflictMark gives the place of the first mark that a merge leaves, or -1.
func conflictMark(content []byte) int {
	for _, mark := range []string{"<<<<<<< ", "=======\n", ">>>>>>> "} {
		if bytes.HasPrefix(content, []byte(mark)) {
			return 0
		}
		if at := bytes.Index(content, []byte("\n"+mark)); at >= 0 {
			return at + 1
		}
	}
	return -1
}

// checkKeys refuses what is not JSON, and keys that stand twice in one object:
// encoding/json would take the last of them.
func checkKeys(content []byte) *lockError {
	dec := json.NewDecoder(bytes.NewReader(content))
	fail := func(message string) *lockError {
		return &lockError{CodeBadLock, int(dec.InputOffset()), "it does not read as a lock: " + message, fixLock}
	}
	var open []map[string]bool // of each object and, as nil, each array
	isKey := false
	for {
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF) && len(open) == 0:
			return nil
		case err != nil:
			return fail(err.Error())
		}
		delim, isDelim := token.(json.Delim)
		switch {
		case isDelim && delim == '{':
			open = append(open, make(map[string]bool))
		case isDelim && delim == '[':
			open = append(open, nil)
		case isDelim:
			open = open[:len(open)-1]
		case isKey:
			keys, key := open[len(open)-1], token.(string)
			if keys[key] {
				return fail(fmt.Sprintf("%q stands twice in one object", key))
			}
			keys[key] = true
			isKey = false
			continue
		}
		if len(open) == 0 {
			if dec.More() {
				return fail("something follows its end")
			}
			return nil
		}
		isKey = open[len(open)-1] != nil
	}
}

// keyOffset gives the place of a task's name, as near as its text tells.
func keyOffset(content []byte, name string) int {
	return max(0, bytes.Index(content, []byte(strconv.Quote(name)+":")))
}

// resolve makes schemas of the entry's texts.
func (t *lockTask) resolve() *lockError {
	bad := func(format string, args ...any) *lockError {
		return &lockError{code: CodeBadLock, message: fmt.Sprintf(format, args...), fix: fixLock}
	}
	edited := func(what string, have fingerprint, text string) *lockError {
		if want := fingerprintOf(text); have != want {
			return &lockError{code: CodeEditedLock, message: fmt.Sprintf("%s was changed by hand: its fingerprint is %s, not %s", what, want, have), fix: fixLock}
		}
		return nil
	}
	if t == nil {
		return bad("there is nothing")
	}
	if err := t.Args.resolve(); err != nil {
		return bad("its args: %s", err)
	}
	if err := t.Result.resolve(); err != nil {
		return bad("its result: %s", err)
	}
	if err := edited("the schema of its args", t.Fingerprint, t.Args.schema.text()); err != nil {
		return err
	}
	for i := range t.Earlier {
		v := &t.Earlier[i]
		if err := edited("the schema of an earlier version", v.Fingerprint, v.Schema); err != nil {
			return err
		}
		var err error
		if v.schema, err = parseSchema(v.Schema); err != nil {
			return bad("an earlier version: %s", err)
		}
	}
	return nil
}

// resolve makes a schema of what is written for people.
func (t *lockType) resolve() (err error) {
	labelled := make(map[string]*schema)
	refer := func(label string) (*schema, error) {
		if labelled[label] == nil {
			return nil, fmt.Errorf("there is no type %s", label)
		}
		return labelled[label], nil
	}
	for label := range t.Structs {
		labelled[label] = &schema{form: structForm, label: label}
	}
	for label := range t.Cycles {
		labelled[label] = &schema{form: listForm, label: label}
	}
	for _, label := range sortedKeys(t.Structs) {
		if err := labelled[label].addFields(t.Structs[label], refer); err != nil {
			return fmt.Errorf("%s.%w", label, err)
		}
	}
	for _, label := range sortedKeys(t.Cycles) {
		p := &schemaParser{rest: t.Cycles[label], refer: refer}
		s, err := p.whole()
		if err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
		if !s.isArray() && s.form != entriesForm || s.label != "" {
			return fmt.Errorf("%s is neither a list nor a map", label)
		}
		*labelled[label] = *s
		labelled[label].label = label
	}
	p := &schemaParser{rest: t.Type, refer: refer}
	t.schema, err = p.whole()
	return err
}

// addFields gives a struct its fields.
func (s *schema) addFields(lines map[string]string, refer func(string) (*schema, error)) error {
	for _, name := range sortedKeys(lines) {
		f, err := parseLockField(name, lines[name], refer)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.fields = append(s.fields, f)
	}
	slices.SortFunc(s.fields, func(a, b schemaField) int { return strings.Compare(a.wire, b.wire) })
	return nil
}

// parseLockField reads the line of a field.
func parseLockField(quoted, value string, refer func(string) (*schema, error)) (schemaField, error) {
	name := &schemaParser{rest: quoted}
	wire, err := name.name()
	if err != nil {
		return schemaField{}, err
	}
	p := &schemaParser{rest: value, refer: refer}
	f := schemaField{wire: wire}
	if f.schema, err = p.typ(); err != nil {
		return f, err
	}
	for p.accept(",alias:") {
		alias, err := p.name()
		if err != nil {
			return f, err
		}
		f.aliases = append(f.aliases, alias)
	}
	if p.rest != "" {
		return f, p.unexpected(",alias:")
	}
	return f, nil
}

// lockPath is where the lock of the package stands.
func (src *source) lockPath() string { return filepath.Join(src.dir, LockName) }

// read reads the lock of the package.
func (l *lockState) read() {
	have, err := os.ReadFile(l.src.lockPath())
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		l.err = &lockError{CodeBadLock, 0, "it cannot be read: " + bare(err).Error(), "make it a file that can be read, or move it away"}
	default:
		l.have = have
		l.old, l.err = parseLock(have)
	}
}

// report reports why the lock cannot be read. It tells whether it has.
func (l *lockState) report(rep *report) bool {
	if l.err == nil {
		return false
	}
	rep.errorf(l.at(l.err.offset), l.err.code, l.err.fix, "%s", l.err.message)
	return true
}

// reportLost warns where a generated file was made with a lock and there is none.
func (l *lockState) reportLost(generated []byte, rep *report) {
	if l.have == nil && bytes.Contains(generated, []byte("Fingerprint: 0x")) {
		rep.warnf(token.Position{Filename: l.src.lockPath()}, CodeLostLock, "take it back, with git checkout "+LockName+" in its folder, and see that git does not ignore it",
			"%s is gone, and with it what may still be queued under earlier versions: a new one begins without them", LockName)
	}
}

// position gives the place of a task in the lock.
func (l *lockState) position(task string) token.Position {
	return l.at(keyOffset(normal(l.have), task))
}

// at gives the line and the column of a place in the lock.
func (l *lockState) at(offset int) token.Position {
	before := normal(l.have)
	before = before[:min(offset, len(before))]
	line := bytes.LastIndexByte(before, '\n') + 1
	return token.Position{Filename: l.src.lockPath(), Line: bytes.Count(before, []byte("\n")) + 1, Column: len(before) - line + 1}
}
