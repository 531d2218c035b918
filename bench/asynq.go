package main

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqSystem is asynq as its README shows it.
type asynqSystem struct {
	connection countedOpt
	client     *asynq.Client
	counts     *redis.Client
	interval   time.Duration // at which its server asks for tasks where there was none; 0 is its default
}

// countedOpt is asynq's own connection, with its round trips counted.
type countedOpt struct {
	asynq.RedisClientOpt
	trips *trips
}

// MakeRedisClient makes the client that asynq makes.
func (o countedOpt) MakeRedisClient() any {
	client := o.RedisClientOpt.MakeRedisClient().(*redis.Client)
	client.AddHook(o.trips)
	return client
}

func newAsynq(addr string, interval time.Duration, t *trips) *asynqSystem {
	connection := countedOpt{asynq.RedisClientOpt{Addr: addr}, t}
	return &asynqSystem{connection, asynq.NewClient(connection), redis.NewClient(&redis.Options{Addr: addr}), interval}
}

func (a *asynqSystem) Enqueue(ctx context.Context, n int32) error {
	_, err := a.client.EnqueueContext(ctx, asynq.NewTask("bench.run", payload(n)))
	return err
}

func (a *asynqSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	var options []asynq.Option
	if !due.IsZero() {
		options = append(options, asynq.ProcessAt(due))
	}
	for n := from; n < to; n++ {
		if _, err := a.client.EnqueueContext(ctx, asynq.NewTask("bench.run", payload(n)), options...); err != nil {
			return err
		}
	}
	return nil
}

func (a *asynqSystem) Work(ctx context.Context, queues []string, slots int, ran func(int32)) error {
	weights := make(map[string]int)
	for _, queue := range queues {
		weights[queue] = 1
	}
	server := asynq.NewServer(a.connection, asynq.Config{
		Concurrency:       slots,
		Queues:            weights,
		TaskCheckInterval: a.interval,
		LogLevel:          asynq.FatalLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		ran(number(t.Payload()))
		return nil
	}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

func (a *asynqSystem) Left(ctx context.Context) (int64, error) {
	var counts [3]*redis.IntCmd
	_, err := a.counts.Pipelined(ctx, func(p redis.Pipeliner) error {
		counts[0] = p.LLen(ctx, "asynq:{default}:pending")
		counts[1] = p.LLen(ctx, "asynq:{default}:active")
		counts[2] = p.ZCard(ctx, "asynq:{default}:scheduled")
		return nil
	})
	return counts[0].Val() + counts[1].Val() + counts[2].Val(), err
}
