package stem

import (
	"fmt"
	"slices"
)

// TaskSpec is what a task definition says about its task. Its slices belong to the
// definition: nobody changes them.
type TaskSpec struct {
	// Name identifies the task in every store: 1–200 printable ASCII bytes.
	Name string
	// Description is for people; stemgen takes it from the function's doc comment.
	Description string
	// Source is where the task is defined, "hello.go:12".
	Source string
	// Options hold for every enqueue of the task, under those of the call.
	Options []Option
	// Aliases are names that the task had before: a worker that has it also runs what
	// was enqueued under them.
	Aliases []string
	// Tags are for people and tools that sort tasks, at most 20 of 1–200 printable
	// ASCII bytes. They stay in the definition: no envelope carries them, so a changed
	// tag holds for tasks that wait, too, and costs the stores nothing.
	Tags []string
	// Schema says what the args and the result look like on the wire.
	Schema Schema
}

// Schema says what the args and the result of a task look like on the wire. stemgen
// writes it; the zero Schema says nothing.
type Schema struct {
	// Fingerprint identifies the schema of the args. It travels in every envelope of
	// the task. 0 means unknown: such an envelope fits every worker, and such a
	// worker takes every envelope of the task.
	Fingerprint uint64
	// Older are the fingerprints of earlier args that this build reads as well,
	// the oldest first. What has another one is newer or foreign, and set aside
	// like an unknown task.
	Older []uint64
	// Args and Result are JSON Schemas (draft 2020-12) of a readable form of the
	// values, "" where there is none. Forms are built from them, and who has nothing
	// else can carry the form to the wire and back:
	//
	//	type     besides                            JSON          wire
	//	boolean                                     true          bool
	//	integer  minimum and maximum                12            int, uint
	//	number   format float, double               1.5           float32, float64
	//	string                                      "a"           str; a bin is the same
	//	string   contentEncoding base64             "aGVsbG8="    bin
	//	string   format date-time                   RFC 3339      ext −1
	//	string   format go-duration                 "1m30s"       int, nanoseconds
	//	string   contentMediaType …/vnd.msgpack     "wA=="        the bytes as they stand
	//	array                                       [1, 2]        array
	//	object   properties                         {"Name": 1}   map
	//	object   additionalProperties               {"a": 1}      map
	//	         propertyNames: format int8, …      {"-1": 1}     map with such keys
	//	         propertyNames: enum false, true    {"true": 1}   map with bool keys
	//	         propertyNames: base64 (…Encoding)  {"3q0=": 1}   map with keys as bin
	//
	// Integers have all their digits, also beyond 2^53. Durations are written as Go
	// writes them, since JSON Schema's own format knows no fractions of a second. NaN,
	// infinities, years beyond 9999 and text that is not UTF-8 have no such form.
	//
	// Nothing is required: what is missing is zero. What can be nil may be null. A
	// key that a struct does not have is refused, although the codec would skip it: in
	// what a person writes it is a slip. The constants of a number or a string
	// are examples of it, under the names in x-enum-varnames; it may have other values.
	Args, Result string
}

// AnyTask is a task definition whatever its types.
type AnyTask interface {
	Name() string
	Spec() TaskSpec
}

// Envelope gives what an enqueue without options publishes: the options of the
// definition over the defaults of this package, without payload, and without id
// unless the definition gives one. The defaults of a client, which differ from one
// program to the next, are not in it. An error names what is wrong with the spec.
func (s TaskSpec) Envelope() (Envelope, error) {
	if err := s.validate(); err != nil {
		return Envelope{}, err
	}
	e := builtin()
	d := draft{Envelope: &e}
	d.apply(s.Options)
	d.identify(&s)
	if err := d.complete(nil); err != nil {
		return Envelope{}, fmt.Errorf("stem: task %s: %w", clip(s.Name), err)
	}
	if !d.ownID {
		e.ID = ""
	}
	return e, nil
}

// answersTo reports whether name is the task's own, or an alias of it.
func (s *TaskSpec) answersTo(name string) bool {
	return name == s.Name || slices.Contains(s.Aliases, name)
}

// mostTags is the most tags that a task has; beyond lies a mistake.
const mostTags = 20

// validate reports what is wrong with the names and tags of the spec.
func (s *TaskSpec) validate() error {
	if err := validName("task name", s.Name); err != nil {
		return err
	}
	for i, alias := range s.Aliases {
		if err := s.validAlias(i, alias); err != nil {
			return fmt.Errorf("stem: task %q: %w", s.Name, err)
		}
	}
	if len(s.Tags) > mostTags {
		return fmt.Errorf("stem: task %q: %w", s.Name, &OptionError{Option: "tags", Value: fmt.Sprint(len(s.Tags)), Want: "at most 20"})
	}
	for i, tag := range s.Tags {
		if err := s.validTag(i, tag); err != nil {
			return fmt.Errorf("stem: task %q: %w", s.Name, err)
		}
	}
	return nil
}

func (s *TaskSpec) validAlias(i int, alias string) error {
	switch {
	case alias == s.Name:
		return &OptionError{Option: "alias", Value: clip(alias), Want: "a name that the task had before, not the one it has"}
	case slices.Contains(s.Aliases[:i], alias):
		return &OptionError{Option: "alias", Value: clip(alias), Want: "each alias once"}
	default:
		return validName("alias", alias)
	}
}

func (s *TaskSpec) validTag(i int, tag string) error {
	switch {
	case tag == "" || len(tag) > MaxIDLength || !printable(tag, ' '):
		return &OptionError{Option: "tag", Value: clip(tag), Want: "1 to 200 printable ASCII bytes"}
	case slices.Contains(s.Tags[:i], tag):
		return &OptionError{Option: "tag", Value: clip(tag), Want: "each tag once"}
	default:
		return nil
	}
}
