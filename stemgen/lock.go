package stemgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// LockName is the name of the file that stands beside each generated file and
// remembers what the tasks of the package looked like on the wire. It is committed:
// from it stemgen knows what may still be queued.
const LockName = "stem.lock"

// lockFormat is that of the locks which this stemgen writes.
const lockFormat = 1

// A lockFile is the content of a lock.
type lockFile struct {
	Format int                  `json:"format"`
	Tasks  map[string]*lockTask `json:"tasks"`
}

// A lockTask is what was known of a task when the lock was written.
type lockTask struct {
	Aliases     []string      `json:"aliases,omitempty"`
	Fingerprint fingerprint   `json:"fingerprint"` // of the args
	Args        lockType      `json:"args"`
	Result      lockType      `json:"result"`
	Earlier     []lockVersion `json:"earlier,omitempty"` // of the args, the oldest first
}

// A lockType is a schema for people: each struct under its Go name, and each of its
// fields on a line of its own, as kind and aliases: "string,alias:old".
type lockType struct {
	Type    string                       `json:"type"`
	Structs map[string]map[string]string `json:"structs,omitempty"`
	Cycles  map[string]string            `json:"cycles,omitempty"` // lists and maps that hold themselves

	schema *schema
}

// A lockVersion is a schema in its canonical text.
type lockVersion struct {
	Fingerprint fingerprint `json:"fingerprint"`
	Schema      string      `json:"schema"`

	schema *schema
}

// String gives the fingerprint as generated code has it.
func (f fingerprint) String() string { return fmt.Sprintf("0x%016x", uint64(f)) }

// MarshalText gives what String does.
func (f fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String gives, and nothing else.
func (f *fingerprint) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 64)
	if err != nil || fingerprint(n).String() != string(text) {
		return fmt.Errorf("%q is not a fingerprint", text)
	}
	*f = fingerprint(n)
	return nil
}

// newLockTask gives the entry of a task as its code is now.
func newLockTask(aliases []string, args, result *schema) *lockTask {
	aliases = slices.Sorted(slices.Values(aliases))
	return &lockTask{Aliases: aliases, Fingerprint: fingerprintOf(args.text()), Args: newLockType(args), Result: newLockType(result)}
}

func newLockType(s *schema) lockType {
	t := lockType{Type: s.labelled(), Structs: make(map[string]map[string]string), Cycles: make(map[string]string), schema: s}
	for _, part := range s.parts() {
		switch {
		case part.form == structForm:
			t.Structs[part.label] = lockFields(part)
		case part.label != "":
			var b strings.Builder
			part.writeParts(&b, labelWriter(&b))
			t.Cycles[part.label] = b.String()
		}
	}
	return t
}

// lockFields gives the lines of a struct's fields.
func lockFields(s *schema) map[string]string {
	fields := make(map[string]string)
	for _, f := range s.fields {
		line := f.schema.labelled()
		for _, alias := range f.aliases {
			line += ",alias:" + quoteName(alias)
		}
		fields[quoteName(f.wire)] = line
	}
	return fields
}

// versions gives the schemas of the args, the oldest first and that of the entry
// itself last.
func (t *lockTask) versions() []lockVersion {
	return append(slices.Clone(t.Earlier), lockVersion{t.Fingerprint, t.Args.schema.text(), t.Args.schema})
}

// content gives the file.
func (f *lockFile) content() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil { // maps, strings and numbers always have a JSON form
		panic(err)
	}
	return b.Bytes()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
