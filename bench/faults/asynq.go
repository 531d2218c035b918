package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

// asynqSystem is asynq as its README shows it.
type asynqSystem struct {
	connection asynq.RedisConnOpt
	client     *asynq.Client
	inspector  *asynq.Inspector
	retry      asynq.RetryDelayFunc // nil is its default, 15 to 45 s before a first retry
}

func openAsynq(_ context.Context, url string) (system, error) { return newAsynq(url, nil) }

// openAsynqQuick retries a task after a second. Its lease, 30 s, and when expired ones are looked for are no settings.
func openAsynqQuick(_ context.Context, url string) (system, error) {
	return newAsynq(url, func(int, error, *asynq.Task) time.Duration { return time.Second })
}

func newAsynq(url string, retry asynq.RetryDelayFunc) (system, error) {
	connection, err := asynq.ParseRedisURI(url)
	if err != nil {
		return nil, err
	}
	return &asynqSystem{connection, asynq.NewClient(connection), asynq.NewInspector(connection), retry}, nil
}

// Enqueue keeps the ids of tasks that are done, so that a repetition is noticed.
func (a *asynqSystem) Enqueue(ctx context.Context, t task) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = a.client.EnqueueContext(ctx, asynq.NewTask(taskName, payload), asynq.TaskID(t.ID), asynq.Retention(time.Hour))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

func (a *asynqSystem) Work(ctx context.Context, run func(task)) error {
	server := asynq.NewServer(a.connection, asynq.Config{Concurrency: slots, RetryDelayFunc: a.retry, LogLevel: asynq.FatalLevel})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, work *asynq.Task) error {
		var t task
		if err := json.Unmarshal(work.Payload(), &t); err != nil {
			return err
		}
		run(t)
		return nil
	}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

func (a *asynqSystem) Running(context.Context) (int, error) {
	info, err := a.inspector.GetQueueInfo("default")
	if err != nil {
		return 0, err
	}
	return info.Active, nil
}

func (a *asynqSystem) Keeps(_ context.Context, id string) (bool, error) {
	info, err := a.inspector.GetTaskInfo("default", id)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return info.State != asynq.TaskStateCompleted, nil
}

func (a *asynqSystem) Close() {
	_ = a.client.Close()
	_ = a.inspector.Close()
}
