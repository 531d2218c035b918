package ops

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func TestWhyATaskWaits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	worker := func(queues []string, tasks ...stem.TaskSchema) stem.WorkerInfo {
		return stem.WorkerInfo{Queues: queues, Tasks: tasks, TaskCount: len(tasks)}
	}
	serves := []string{"mail"}
	good := []stem.WorkerInfo{worker(serves, stem.TaskSchema{Task: "send", Fingerprint: 7})}
	stopped := worker(serves, stem.TaskSchema{Task: "send", Fingerprint: 7})
	stopped.Stopped = true
	many := worker(serves, stem.TaskSchema{Task: "a"})
	many.TaskCount = 2000
	waits := func(state State, set func(t *Task)) Task {
		task := Task{Envelope: &stem.Envelope{ID: "a", Task: "send", Queue: "mail", Fingerprint: 7}, State: state, Attempt: 1, Now: now, Published: now.Add(-time.Hour), Due: now.Add(-time.Hour)}
		if set != nil {
			set(&task)
		}
		return task
	}
	tests := []struct {
		promise string
		task    Task
		facts   facts
		want    []string // codes
		says    string
	}{
		{"one that runs does not wait", waits(Running, func(t *Task) { t.Session, t.Lapses = "s", now.Add(time.Second) }), facts{workers: good, counts: stem.QueueCounts{Paused: true}}, nil, ""},
		{"one whose worker was lost", waits(Running, func(t *Task) { t.Session, t.Lapses = "s", now.Add(-3*time.Second) }), facts{workers: good}, []string{WhyWorkerLost}, "until 3s ago"},
		{"one that was left behind and is ready again", waits(Ready, func(t *Task) { t.Session, t.Lapses = "s", now.Add(-time.Minute) }), facts{workers: good}, []string{WhyWorkerLost}, "1m0s ago"},
		{"one in line", waits(Ready, nil), facts{workers: good, counts: stem.QueueCounts{Ready: 12, Running: 3}}, []string{WhyBehind}, "ready: 12, that run: 3"},
		{"one of a paused queue", waits(Ready, nil), facts{workers: good, counts: stem.QueueCounts{Paused: true}}, []string{WhyPaused}, "queue mail is paused"},
		{"one that is delayed", waits(Delayed, func(t *Task) { t.Due = now.Add(90 * time.Second) }), facts{workers: good}, []string{WhyNotDue}, "due in 1m30s"},
		{"one that is retried", waits(Retrying, func(t *Task) { t.Attempt, t.Due = 3, now.Add(time.Second) }), facts{workers: good}, []string{WhyNotDue}, "attempt 3 is due in 1s"},
		{"one that waits for its turn", waits(Delayed, func(t *Task) { t.Due, t.Marks = now.Add(time.Second), map[string]string{"stem.turn": "0"} }), facts{workers: good}, []string{WhyLimit}, "a turn in 1s"},
		{"one that had its turn and is retried", waits(Retrying, func(t *Task) { t.Due, t.Marks = now.Add(time.Second), map[string]string{"stem.turn": "-"} }), facts{workers: good}, []string{WhyNotDue}, ""},
		{"one of which as many run as may", waits(Unknown, func(t *Task) { t.Limit = &stem.Limit{Concurrency: 2} }), facts{workers: good}, []string{WhyLimit}, "at most 2 runs of task send"},
		{"one that nobody serves", waits(Ready, nil), facts{workers: []stem.WorkerInfo{stopped, worker([]string{"other"}, stem.TaskSchema{Task: "send"})}}, []string{WhyNoWorker}, "no worker serves queue mail"},
		{"one that nobody knows", waits(Unknown, nil), facts{workers: []stem.WorkerInfo{worker(serves, stem.TaskSchema{Task: "other"})}}, []string{WhyUnknownTask}, "none of the 1 workers of queue mail has registered task send"},
		{"one whose args nobody reads", waits(Unknown, nil), facts{workers: []stem.WorkerInfo{worker(serves, stem.TaskSchema{Task: "send", Fingerprint: 8})}}, []string{WhyUnknownSchema}, "0000000000000007"},
		{"one that a worker may know which names a part of its tasks", waits(Ready, nil), facts{workers: []stem.WorkerInfo{many}}, []string{WhyBehind}, ""},
		{"one that was set aside, and its worker has come", waits(Unknown, nil), facts{workers: good}, []string{WhyBehind}, "set aside"},
		{"one that was revoked", waits(Delayed, func(t *Task) { t.Due = now.Add(time.Hour) }), facts{workers: good, revoked: true, reason: "by ann"}, []string{WhyRevoked, WhyNotDue}, "revoked (by ann)"},
		{"one that is too late", waits(Ready, func(t *Task) { t.ExpiresIn = time.Minute }), facts{workers: good}, []string{WhyExpired}, "59m0s ago"},
		{"one that is not too late yet", waits(Ready, func(t *Task) { t.ExpiresIn = 2 * time.Hour }), facts{workers: good}, []string{WhyBehind}, ""},
		{"one that cannot be read", waits(Ready, func(t *Task) { t.Malformed = errors.New("offset 0") }), facts{workers: good}, []string{WhyMalformed}, "offset 0"},
		{"one with all the bad luck", waits(Retrying, func(t *Task) { t.Due = now.Add(time.Hour) }), facts{revoked: true, counts: stem.QueueCounts{Paused: true}},
			[]string{WhyRevoked, WhyPaused, WhyNoWorker, WhyNotDue}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			var codes []string
			var texts strings.Builder
			for _, r := range why(&tt.task, tt.facts) {
				codes = append(codes, r.Code)
				texts.WriteString(r.Text + "\n")
			}
			if diff := cmp.Diff(codes, tt.want); diff != "" {
				t.Errorf("codes: got -, want +:\n%s", diff)
			}
			if !strings.Contains(texts.String(), tt.says) {
				t.Errorf("got %q, want %q in it", texts.String(), tt.says)
			}
		})
	}
}
