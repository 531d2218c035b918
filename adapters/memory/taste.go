package memory

import (
	"maps"

	"github.com/gostem/gostem/stem"
)

// taste says what a receiver may be lent: tasks that it knows, and of those that are bounded as many
// as are left.
type taste struct {
	tasks *stem.TaskSet
	left  map[string]int // nil, as a rule; a task that is not in it has no bound
}

// tasteOf gives the taste of a request of which nothing is lent yet.
func tasteOf(request *stem.ReceiveRequest) taste { return taste{request.Tasks, request.AtMost} }

// own lets the taste be changed.
func (t taste) own() taste {
	t.left = maps.Clone(t.left)
	return t
}

func (t taste) has(task string, fingerprint uint64) bool {
	return t.tasks.Has(task, fingerprint) && !t.full(task)
}

// full reports whether no more of a task may be lent.
func (t taste) full(task string) bool {
	left, bounded := t.left[task]
	return bounded && left < 1
}

// lent takes note of one more that was lent. The taste must be its own.
func (t taste) lent(task string) {
	if left, bounded := t.left[task]; bounded {
		t.left[task] = left - 1
	}
}
