package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gostem/gostem/stem"
)

// Level says how much a finding matters.
type Level string

// The levels, the gravest first.
const (
	// LevelError: tasks are lost, or do not run.
	LevelError Level = "error"
	// LevelWarning: it will cost something, sooner or later.
	LevelWarning Level = "warning"
	// LevelInfo: good to know.
	LevelInfo Level = "info"
)

// Levels are all of them, the gravest first.
var Levels = []Level{LevelError, LevelWarning, LevelInfo}

// Finding is what an examination has found.
type Finding struct {
	Level Level `json:"level"`
	// Code names the kind of finding, for programs: "paused".
	Code string `json:"code"`
	// What is so, and Remedy what to do about it; "" where there is nothing to do.
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// Examiner is a store that can be examined, a capability of brokers and backends.
type Examiner interface {
	// Examine tells of the servers: versions, what they would lose, clocks, rights, what makes them slow. It changes nothing. A server that
	// cannot be asked is an error; a question that it refuses to answer is a finding.
	Examine(ctx context.Context) ([]Finding, error)
}

// manyDead is how many dead letters of a queue are a tenth of what stores keep unless they are told otherwise.
const manyDead = 1000

// Examine looks at the stores and all queues for what an operator should know, the gravest first. It counts and lists as much
// as Queues does, and of each queue a page of what runs.
func (s *Service) Examine(ctx context.Context) ([]Finding, error) {
	findings, err := s.examineStores(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	queues, err := s.Queues(ctx)
	if err != nil {
		return nil, err
	}
	findings = append(findings, examineWorkers(workers)...)
	for i := range queues {
		if err := stem.ValidateName("queue", queues[i].Name); err != nil {
			findings = append(findings, Finding{LevelWarning, "unreadable-queue", "the store lists a queue that none can be: " + err.Error(),
				"find out what else writes to the store, and take the name out of its list of queues"})
			continue
		}
		findings = append(findings, queues[i].examine()...)
		lapsed, err := s.lapsed(ctx, queues[i].Name)
		if err != nil {
			return nil, err
		}
		findings = append(findings, lapsed...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return slices.Index(Levels, a.Level) - slices.Index(Levels, b.Level) })
	return findings, nil
}

// examineStores examines broker and backend, once where they are one.
func (s *Service) examineStores(ctx context.Context) (findings []Finding, err error) {
	stores := []any{s.stores.Broker}
	if s.stores.Backend != nil && any(s.stores.Backend) != any(s.stores.Broker) {
		stores = append(stores, s.stores.Backend)
	}
	for _, store := range stores {
		examiner, ok := stem.As[Examiner](store)
		if !ok {
			findings = append(findings, Finding{LevelInfo, "unexamined", fmt.Sprintf("the store %T cannot be examined", store), ""})
			continue
		}
		ctx, cancel := bounded(ctx)
		found, err := examiner.Examine(ctx)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("ops: examine: %w", err)
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// examineWorkers finds what workers say of themselves that does not fit together.
func examineWorkers(workers []stem.WorkerInfo) (findings []Finding) {
	var builds []string
	for i := range workers {
		w := &workers[i]
		if w.Malformed != nil {
			findings = append(findings, Finding{LevelWarning, "unreadable-worker",
				"what worker " + quoted(w.ID) + " says of itself cannot be read: " + w.Malformed.Error(), "use the command of the newest version that runs"})
			continue
		}
		if build := strings.Trim(w.Version+" "+w.Revision, " "); !w.Stopped && build != "" && !slices.Contains(builds, build) {
			builds = append(builds, build)
		}
	}
	if slices.Sort(builds); len(builds) > 1 {
		findings = append(findings, Finding{LevelInfo, "revisions", fmt.Sprintf("workers of %d builds run: %s", len(builds), quoted(strings.Join(builds, ", "))),
			"nothing while a deploy is under way; else deploy the workers that are left"})
	}
	return findings
}

// examine finds what keeps tasks of the queue from running.
func (q *Queue) examine() (findings []Finding) {
	add := func(level Level, code, what, remedy string) {
		findings = append(findings, Finding{level, code, "queue " + q.Name + ": " + what, remedy})
	}
	if q.Paused {
		add(LevelWarning, "paused", "it is paused", "stem queue resume "+q.Name)
	}
	if q.Ready > 0 && q.Workers == 0 {
		add(LevelError, "no-worker", fmt.Sprintf("%d tasks are due and no worker serves it", q.Ready), "start a worker with STEM_WORKER_QUEUES="+q.Name)
	}
	for _, schema := range sorted(q.Unknown) {
		if n := q.Unknown[schema]; schema.Fingerprint == 0 {
			add(LevelError, "unknown-task", fmt.Sprintf("%d of task %s wait, and no worker knows it", n, schema.Task), "deploy a worker that has the task, or delete them: stem task delete")
		} else {
			add(LevelError, "unknown-schema", fmt.Sprintf("%d of task %s wait, and no worker reads their args", n, schema), "deploy workers of the build that has enqueued them")
		}
	}
	if q.Dead >= manyDead {
		add(LevelWarning, "dead-letters", fmt.Sprintf("%d dead letters: the oldest are dropped when there are too many", q.Dead),
			"stem dlq list --queue "+q.Name+", then replay or purge them")
	}
	return findings
}

// sorted gives the keys of a map of schemas, in order.
func sorted(unknown map[stem.TaskSchema]int) []stem.TaskSchema {
	schemas := make([]stem.TaskSchema, 0, len(unknown))
	for schema := range unknown {
		schemas = append(schemas, schema)
	}
	slices.SortFunc(schemas, func(a, b stem.TaskSchema) int { return strings.Compare(a.String(), b.String()) })
	return schemas
}

// lapsed finds tasks on loan whose workers have not been heard of: the first page of what runs.
func (s *Service) lapsed(ctx context.Context, queue string) ([]Finding, error) {
	page, err := s.Tasks(ctx, TaskQuery{Queue: queue, State: Running, Limit: MaxPage})
	if err != nil {
		return nil, err
	}
	n := 0
	for i := range page.Tasks {
		if t := &page.Tasks[i]; !t.Lapses.IsZero() && t.Lapses.Before(t.Now) {
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []Finding{{LevelWarning, "lapsed", fmt.Sprintf("queue %s: %d tasks are on loan to workers that have not been heard of for longer than their lease", queue, n),
		"start a worker for the queue: it takes them over"}}, nil
}
