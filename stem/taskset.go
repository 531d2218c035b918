package stem

import (
	"fmt"
	"iter"
	"maps"
	"slices"
)

// TaskSet is what a receiver can run: tasks by name, and of each the schemas of the
// args that it reads. It is built once and never changes, so that a store may
// keep what it has derived from it. The nil set knows everything.
type TaskSet struct {
	names   []string            // in order
	schemas map[string][]uint64 // those read, in order; nil for all
}

// NewTaskSet gives the set of what workers with these tasks can run, under their
// names and aliases: args of the schema of each and of its older ones, and args of
// every schema where the spec tells none. Specs of one name add up.
func NewTaskSet(specs ...TaskSpec) *TaskSet {
	s := &TaskSet{schemas: make(map[string][]uint64, len(specs))}
	for i := range specs {
		s.add(specs[i].Name, &specs[i].Schema)
		for _, alias := range specs[i].Aliases {
			s.add(alias, &specs[i].Schema)
		}
	}
	s.names = slices.Sorted(maps.Keys(s.schemas))
	return s
}

func (s *TaskSet) add(name string, schema *Schema) {
	before, known := s.schemas[name]
	if schema.Fingerprint == 0 || known && before == nil {
		s.schemas[name] = nil
		return
	}
	read := slices.Concat(before, schema.Older, []uint64{schema.Fingerprint})
	slices.Sort(read)
	s.schemas[name] = slices.DeleteFunc(slices.Compact(read), func(f uint64) bool { return f == 0 })
}

// Has reports whether the receiver can run a task whose args have the schema of a
// fingerprint. 0, an unknown schema, fits every receiver that has the task.
func (s *TaskSet) Has(task string, fingerprint uint64) bool {
	if s == nil {
		return true
	}
	read, known := s.schemas[task]
	if !known || read == nil || fingerprint == 0 {
		return known
	}
	_, found := slices.BinarySearch(read, fingerprint)
	return found
}

// Len gives the number of names. Like All, it has no meaning for the nil set.
func (s *TaskSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.names)
}

// All gives each name, in order, with the fingerprints that the receiver reads under
// it: ascending, nil where it reads all. Fingerprint 0 is read under every name and not
// among them. It is what a store sends along where the store itself compares;
// ask for the nil set, which knows everything, first.
func (s *TaskSet) All() iter.Seq2[string, []uint64] {
	return func(yield func(string, []uint64) bool) {
		if s == nil {
			return
		}
		for _, name := range s.names {
			if !yield(name, s.schemas[name]) {
				return
			}
		}
	}
}

// TaskSchema is a task as envelopes name it: by its name and the schema of its args.
type TaskSchema struct {
	Task        string
	Fingerprint uint64 // 0: unknown
}

// String gives "demo.hello", or "demo.hello (args of schema 00c0ffee00c0ffee)"
// where the schema is known.
func (t TaskSchema) String() string {
	if t.Fingerprint == 0 {
		return t.Task
	}
	return fmt.Sprintf("%s (args of schema %016x)", t.Task, t.Fingerprint)
}
