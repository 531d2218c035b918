package stem_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func TestATaskSetKnowsTasksAndTheirSchemas(t *testing.T) {
	set := stem.NewTaskSet(
		stem.TaskSpec{Name: "typed", Aliases: []string{"renamed"}, Schema: stem.Schema{Fingerprint: 5, Older: []uint64{9, 1, 0}}},
		stem.TaskSpec{Name: "plain", Schema: stem.Schema{Older: []uint64{1}}},
		stem.TaskSpec{Name: "both", Schema: stem.Schema{Fingerprint: 1}},
		stem.TaskSpec{Name: "both", Schema: stem.Schema{Fingerprint: 2}},
		stem.TaskSpec{Name: "any", Schema: stem.Schema{}},
		stem.TaskSpec{Name: "any", Schema: stem.Schema{Fingerprint: 2}},
	)
	for _, tt := range []struct {
		task        string
		fingerprint uint64
		want        bool
	}{
		{"typed", 5, true}, {"typed", 9, true}, {"typed", 1, true}, {"typed", 0, true}, {"typed", 2, false},
		{"renamed", 5, true}, {"renamed", 9, true}, {"renamed", 0, true}, {"renamed", 2, false},
		{"plain", 0, true}, {"plain", 7, true},
		{"both", 1, true}, {"both", 2, true}, {"both", 3, false},
		{"any", 2, true}, {"any", 3, true},
		{"stranger", 0, false}, {"stranger", 5, false},
	} {
		if got := set.Has(tt.task, tt.fingerprint); got != tt.want {
			t.Errorf("has %s of %d: got %v, want %v", tt.task, tt.fingerprint, got, tt.want)
		}
	}
	want := map[string][]uint64{"typed": {1, 5, 9}, "renamed": {1, 5, 9}, "plain": nil, "both": {1, 2}, "any": nil}
	if diff := cmp.Diff(maps.Collect(set.All()), want); diff != "" {
		t.Errorf("all: got -, want +:\n%s", diff)
	}
	var names []string
	for name := range set.All() {
		names = append(names, name)
	}
	for name := range set.All() {
		if name == names[1] {
			break // a loop may end early
		}
	}
	if !slices.IsSorted(names) || set.Len() != len(names) {
		t.Errorf("got %q, %d of them; want all, in order", names, set.Len())
	}
}

func TestTheNilTaskSetKnowsEverythingAndTheEmptyOneNothing(t *testing.T) {
	var all *stem.TaskSet
	if !all.Has("t", 0) || !all.Has("t", 1) || all.Len() != 0 {
		t.Error("the nil set: got a task that it does not know, or names, want every task and no list")
	}
	if none := stem.NewTaskSet(); none.Has("t", 0) || none.Len() != 0 {
		t.Error("the empty set: got a task, want none")
	}
	for name := range all.All() {
		t.Errorf("all of the nil set: got %s, want nothing to list", name)
	}
}

func TestATaskSchemaReadsAsPeopleNeedIt(t *testing.T) {
	for want, schema := range map[string]stem.TaskSchema{
		"demo.hello": {Task: "demo.hello"},
		"demo.hello (args of schema 00c0ffee00c0ffee)": {Task: "demo.hello", Fingerprint: 0xc0ffee00c0ffee},
	} {
		if got := schema.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
