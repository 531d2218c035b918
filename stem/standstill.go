package stem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lookEvery is how often a worker looks, at least, why tasks of its queues may wait for
// something else than a slot. It is rare: what it finds is for people.
const lookEvery = 5 * time.Minute

// watchQueues tells, when the worker starts and then now and again until ctx ends, which of
// its queues are paused and where tasks are set aside that it does not know. Otherwise a
// worker that receives nothing looks like one that has nothing to do.
func (w *Worker) watchQueues(ctx context.Context) {
	told := make(map[string]QueueStalled)
	for {
		for _, queue := range w.rota.queues {
			counts, err := w.countQueue(ctx, queue)
			if err != nil {
				w.log.DebugContext(ctx, "stem: cannot count a queue", "queue", queue, "error", err)
				continue
			}
			now := w.standstill(queue, counts)
			if before := told[queue]; now.Paused != before.Paused || (now.Unknown > 0) != (before.Unknown > 0) {
				w.tellStalled(ctx, now, counts)
				told[queue] = now
			}
		}
		if !sleep(ctx, jitter(lookEvery)) {
			return
		}
	}
}

func (w *Worker) countQueue(ctx context.Context, queue string) (QueueCounts, error) {
	call := callContext(ctx, w.client.cfg.CallTimeout)
	defer call.end(nil)
	return w.client.counter.CountQueue(call, queue)
}

// standstill gives what keeps tasks of a queue from this worker.
func (w *Worker) standstill(queue string, counts QueueCounts) QueueStalled {
	e := QueueStalled{Worker: w.cfg.Name, Queue: queue, Paused: counts.Paused}
	for schema, n := range counts.Unknown {
		if !w.known.Has(schema.Task, schema.Fingerprint) {
			e.Unknown += n
		}
	}
	return e
}

// obstacle tells, in a wait's error, what keeps tasks of the queue from running, where a deadline has passed
// and the broker can tell soon; "" for nothing.
func (j Job[R]) obstacle(ctx context.Context, err error) string {
	if !errors.Is(err, ErrNoResult) || !errors.Is(ctx.Err(), context.DeadlineExceeded) || j.client.counter == nil {
		return "" // of who is cancelled nobody reads the error
	}
	call := callContext(context.WithoutCancel(ctx), 250*time.Millisecond)
	defer call.end(nil)
	counts, err := j.client.counter.CountQueue(call, j.queue)
	if err != nil {
		return ""
	}
	return counts.obstacle(j.spec)
}

// obstacle tells what keeps tasks of a spec from running, as it follows an error.
func (c *QueueCounts) obstacle(spec *TaskSpec) string {
	strange, others := 0, 0
	for schema, n := range c.Unknown {
		switch {
		case !spec.answersTo(schema.Task):
		case schema.Fingerprint == 0:
			strange += n
		default:
			others += n
		}
	}
	switch {
	case c.Paused:
		return ": the queue is paused until Client.Resume"
	case strange+others > 0 && spec.concurrency() > 0: // what is at its limit is set aside as well
		return fmt.Sprintf(": the task is at its limit of %d runs at once, or no worker of the queue has registered it and was built for its args; such tasks that wait: %d",
			spec.concurrency(), strange+others)
	case strange > 0:
		return fmt.Sprintf(": no worker of the queue has registered the task; such tasks that wait: %d", strange)
	case others > 0:
		return fmt.Sprintf(": no worker of the queue was built for such args of the task; such tasks that wait: %d", others)
	case c.Ready > 0 && c.Running == 0:
		return fmt.Sprintf(": tasks that are ready in the queue: %d, and none runs", c.Ready)
	}
	return ""
}

func (w *Worker) tellStalled(ctx context.Context, e QueueStalled, counts QueueCounts) {
	log := w.log.With("queue", e.Queue)
	if e.Paused {
		log.WarnContext(ctx, "stem: the queue is paused, nothing is received from it until Client.Resume")
	}
	if e.Unknown > 0 {
		log.WarnContext(ctx, "stem: tasks wait that this worker does not know: is one running that has registered them and was built for their args?",
			"tasks", e.Unknown, "for_example", w.unknown(counts))
	}
	if !e.Paused && e.Unknown == 0 {
		log.InfoContext(ctx, "stem: the queue is not paused, and no task waits that this worker does not know")
	}
	w.observe.tell(ctx, e)
}

// unknown names the first three tasks that the worker does not know.
func (w *Worker) unknown(counts QueueCounts) string {
	var names []string
	for schema := range counts.Unknown {
		if !w.known.Has(schema.Task, schema.Fingerprint) {
			names = append(names, schema.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names[:min(3, len(names))], ", ")
}
