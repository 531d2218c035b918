package stemgen

// markCycles finds the types that hold themselves, and marks what follows from it: to
// encode one takes a count of the depth, and may fail. So does what reaches values that
// are encoded elsewhere; and all that reaches a marshaler of the user's may fail.
func markCycles(all []*Type) {
	f := &cycleFinder{order: make(map[*Type]int), low: make(map[*Type]int), open: make(map[*Type]bool)}
	for _, t := range all {
		if f.order[t] == 0 {
			f.visit(t)
		}
	}
	for _, t := range all {
		if t.Recursive {
			t.sink()
		}
	}
}

// sink marks a type that may lie at any depth, and what it holds.
func (t *Type) sink() {
	if t.Sunken || !t.Depth {
		return
	}
	t.Sunken = true
	for _, to := range t.holds() {
		to.sink()
	}
}

// A cycleFinder is Tarjan's algorithm ("Depth-first search and linear graph
// algorithms", 1972): it comes upon each group of types that hold each other after
// all the types that the group leads to.
type cycleFinder struct {
	order, low map[*Type]int
	open       map[*Type]bool
	stack      []*Type
}

func (f *cycleFinder) visit(t *Type) {
	f.order[t] = len(f.order) + 1
	f.low[t] = f.order[t]
	f.stack = append(f.stack, t)
	f.open[t] = true
	for _, to := range t.holds() {
		if f.order[to] == 0 {
			f.visit(to)
			f.low[t] = min(f.low[t], f.low[to])
		} else if f.open[to] {
			f.low[t] = min(f.low[t], f.order[to])
		}
		t.Recursive = t.Recursive || to == t
	}
	if f.low[t] != f.order[t] {
		return
	}
	for i := len(f.stack) - 1; ; i-- {
		if f.stack[i] == t {
			f.close(f.stack[i:])
			f.stack = f.stack[:i]
			return
		}
	}
}

// close marks a group of types that hold each other, or a type that stands alone.
func (f *cycleFinder) close(group []*Type) {
	recursive := len(group) > 1 || group[0].Recursive
	depth, fallible := recursive, recursive
	for _, t := range group {
		f.open[t] = false
		depth = depth || t.Kind == Custom || t.Kind == Msgpack || t.Kind == Raw
		fallible = fallible || depth || t.Marshals()
		for _, to := range t.holds() {
			depth = depth || to.Depth
			fallible = fallible || to.Fallible
		}
	}
	for _, t := range group {
		t.Recursive, t.Depth, t.Fallible = recursive, depth, fallible
	}
	for _, t := range group {
		t.Levels = t.uncounted()
	}
}

// uncounted gives how many arrays and maps may lie within each other in a value, as far
// as no function counts them.
func (t *Type) uncounted() int {
	levels := 0
	for _, to := range t.holds() {
		if !to.Depth {
			levels = max(levels, to.Levels)
		}
	}
	if !t.Depth && !t.Marshals() {
		levels++
	}
	return levels
}

// holds gives the types whose functions those of t call.
func (t *Type) holds() []*Type {
	var held []*Type
	add := func(t *Type) {
		if t != nil && t.Inner().OwnFunctions() {
			held = append(held, t.Inner())
		}
	}
	add(t.Key)
	add(t.Elem)
	for _, f := range t.Fields {
		add(f.Type)
	}
	return held
}
