package stemgen

import (
	"cmp"
	"fmt"
	"slices"
)

// An evolution is what became of a task since the locks were written.
type evolution struct {
	task    *Task
	from    []*lockTask // what the locks have of it
	entry   *lockTask   // what its package's lock is to have, once the changes are accepted
	changes []change
}

// evolve holds a task as its code is now against what locks have of it, and says in the
// model which earlier versions of its args are still read. These are the same whether
// or not its changes are accepted.
func evolve(task *Task, from []*lockTask) *evolution {
	args, result := schemaOf(task.Args), schemaOf(task.Result)
	e := &evolution{task: task, from: from, entry: newLockTask(task.Options.aliases(), args, result)}
	task.Schema = TaskSchema{Fingerprint: uint64(e.entry.Fingerprint)}
	for _, entry := range from {
		for _, v := range entry.versions() {
			if v.Fingerprint != e.entry.Fingerprint && !slices.Contains(task.Schema.Older, uint64(v.Fingerprint)) {
				e.step(entry, v, args)
			}
		}
		c := comparison{task: task.Name, result: true, renames: true}
		e.add(c.compare(entry.Result.schema, entry.Result.schema, result))
	}
	return e
}

// step compares a version of the args with how they are read now, and lists it where
// that succeeds.
func (e *evolution) step(entry *lockTask, v lockVersion, args *schema) {
	c := comparison{task: e.task.Name, renames: v.Fingerprint == entry.Fingerprint}
	changes := c.compare(v.schema, entry.Args.schema, args)
	e.add(changes)
	if !slices.ContainsFunc(changes, func(c change) bool { return c.fatal }) {
		e.entry.Earlier = append(e.entry.Earlier, v)
		e.task.Schema.Older = append(e.task.Schema.Older, uint64(v.Fingerprint))
	}
}

// add takes each change once: several versions may suffer the same.
func (e *evolution) add(changes []change) {
	for _, c := range changes {
		if !slices.ContainsFunc(e.changes, func(known change) bool { return known.message == c.message }) {
			e.changes = append(e.changes, c)
		}
	}
}

// names gives the task's name and those that it had before.
func (t *Task) names() []string { return append([]string{t.Name}, t.Options.aliases()...) }

func (o Options) aliases() []string {
	var names []string
	for _, alias := range o.Aliases {
		names = append(names, alias.Text)
	}
	return names
}

// A lockState is the lock of a package, as it is and as it is to be.
type lockState struct {
	src     *source
	have    []byte // nil where there is none
	old     *lockFile
	err     *lockError // why there is no old one
	evolved []*evolution
}

// locks are those of a run.
type locks struct {
	byDir  map[string]*lockState
	byName map[string][]remembered // by each name that a task has or had
}

// A remembered task is one that a lock knows.
type remembered struct {
	dir, name string
	*lockTask
}

// readLocks reads the locks of all packages of the run: a task may have moved from one
// to another.
func (prog *program) readLocks() *locks {
	all := &locks{byDir: make(map[string]*lockState), byName: make(map[string][]remembered)}
	for _, src := range prog.sources {
		if !src.asked {
			continue
		}
		l := &lockState{src: src}
		if src.writable() {
			l.read()
		}
		all.byDir[src.dir] = l
		if l.old == nil {
			continue
		}
		for name, entry := range l.old.Tasks {
			for _, name := range entry.names(name) {
				all.byName[name] = append(all.byName[name], remembered{src.dir, name, entry})
			}
		}
	}
	return all
}

func (t *lockTask) names(name string) []string { return append([]string{name}, t.Aliases...) }

// of gives what the locks have of a task of a package, under any of its names. What
// other packages have of it comes first, for there it was before; what its own package
// has under this very name comes last.
func (all *locks) of(src *source, task *Task) []*lockTask {
	var found []remembered
	for _, name := range task.names() {
		for _, r := range all.byName[name] {
			if !slices.ContainsFunc(found, func(known remembered) bool { return known.lockTask == r.lockTask }) {
				found = append(found, r)
			}
		}
	}
	rank := func(r remembered) int {
		switch {
		case r.dir != src.dir:
			return 0
		case r.name != task.Name:
			return 1
		}
		return 2
	}
	slices.SortFunc(found, func(a, b remembered) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.dir, b.dir), cmp.Compare(a.name, b.name))
	})
	var entries []*lockTask
	for _, r := range found {
		entries = append(entries, r.lockTask)
	}
	return entries
}

// evolve compares the tasks of a package with what the locks have of them.
func (all *locks) evolve(src *source, model *Package) {
	l := all.byDir[src.dir]
	for _, task := range model.Tasks {
		l.evolved = append(l.evolved, evolve(task, all.of(src, task)))
	}
}

// A verdict says what happens to changes that what is queued does not survive: they
// are warned of, or errors, or recorded.
type verdict int

const (
	warned verdict = iota
	refused
	accepted
)

// verdict gives what the run is asked to do with changes.
func (cfg Config) verdict() verdict {
	switch {
	case cfg.Check:
		return refused
	case cfg.Accept:
		return accepted
	}
	return warned
}

// A survey is what is known of a run once all its packages have been looked at.
type survey struct {
	verdict verdict
	served  map[string]bool    // names that some task of the run has or had
	open    map[*lockTask]bool // what a task comes from that has changes which are not accepted
}

func newSurvey(results []*result, v verdict) *survey {
	if v == accepted && slices.ContainsFunc(results, func(r *result) bool { return r.rep.errors > 0 }) {
		v = warned // what seems gone may be in a package that could not be read
	}
	s := &survey{verdict: v, served: make(map[string]bool), open: make(map[*lockTask]bool)}
	for _, r := range results {
		if r.model == nil {
			continue
		}
		for _, task := range r.model.Tasks {
			for _, name := range task.names() {
				s.served[name] = true
			}
		}
		for _, e := range r.lock.evolved {
			for _, entry := range e.from {
				s.open[entry] = s.open[entry] || len(e.changes) > 0 && v != accepted
			}
		}
	}
	return s
}

// settle reports what has become of the tasks that a package's lock knows, and gives
// the lock as it is to be. Where a change is not accepted, what the lock has of the
// task stays.
func (s *survey) settle(l *lockState, rep *report) *lockFile {
	next := &lockFile{Format: lockFormat, Tasks: make(map[string]*lockTask)}
	for _, e := range l.evolved {
		for _, c := range e.changes {
			rep.change(e.task.Func.Pos, c, s.verdict)
		}
		if len(e.changes) == 0 || s.verdict == accepted {
			next.Tasks[e.task.Name] = e.entry
		}
	}
	if l.old == nil {
		return next
	}
	for _, name := range sortedKeys(l.old.Tasks) {
		entry := l.old.Tasks[name]
		keep := s.open[entry]
		for _, lost := range entry.names(name) {
			if !s.served[lost] && s.verdict != accepted {
				keep = true
				rep.change(l.position(name), gone(name, lost), s.verdict)
			}
		}
		if keep {
			next.Tasks[name] = entry
		}
	}
	return next
}

// gone is the change that nobody serves a name of a task any more.
func gone(task, name string) change {
	c := change{
		code:    CodeGoneTask,
		message: fmt.Sprintf("task %s is gone: nobody would run what is queued of it", task),
		fix: []string{
			fmt.Sprintf("if it was renamed, add alias=%s to the directive of what it is now", name),
			"if it moved to another package, generate both in one run, for instance with stemgen ./...",
		},
	}
	if name != task {
		c.message = fmt.Sprintf("task %s does not serve its old name %s any more: nobody would run what is queued under that", task, name)
		c.fix = []string{fmt.Sprintf("put alias=%s back on its directive", name)}
	}
	c.fix = append(c.fix, "if nothing is queued under it any more, say so with stemgen -accept")
	return c
}
