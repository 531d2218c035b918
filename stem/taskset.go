package stem

import "slices"

// TaskSet is a set of task names: what a receiver can run. It is built once and
// never changes, so that a store may keep what it has derived from it.
type TaskSet struct {
	names  []string
	lookup map[string]struct{}
}

// NewTaskSet gives the set of the names.
func NewTaskSet(names ...string) *TaskSet {
	s := &TaskSet{names: slices.Clone(names), lookup: make(map[string]struct{}, len(names))}
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	for _, name := range s.names {
		s.lookup[name] = struct{}{}
	}
	return s
}

// Has reports whether the set holds a task; the nil set holds every one.
func (s *TaskSet) Has(task string) bool {
	if s == nil {
		return true
	}
	_, ok := s.lookup[task]
	return ok
}

// Names gives the names in order; nil for the nil set. Not to be changed.
func (s *TaskSet) Names() []string {
	if s == nil {
		return nil
	}
	return s.names
}
