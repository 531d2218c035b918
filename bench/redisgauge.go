package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisGauge asks INFO.
type redisGauge struct {
	client *redis.Client
	asked  int64
}

func newRedisGauge(_ context.Context, c cell) (gauge, error) {
	return &redisGauge{client: redis.NewClient(&redis.Options{Addr: c.Addr})}, nil
}

func (g *redisGauge) read(ctx context.Context) (reading, error) {
	r := reading{byCommand: make(map[string][2]float64)}
	err := g.info(ctx, func(name, value string) {
		switch name {
		case "used_cpu_sys", "used_cpu_user":
			seconds, _ := strconv.ParseFloat(value, 64)
			r.cpu += time.Duration(seconds * 1e9)
		case "process_id":
			r.peak = mebibytes(value, "VmHWM")
		case "total_commands_processed":
			r.commands, _ = strconv.ParseInt(value, 10, 64)
		default:
			command, ok := strings.CutPrefix(name, "cmdstat_")
			if ok && command != "info" {
				var calls, usec float64
				_, _ = fmt.Sscanf(value, "calls=%g,usec=%g,", &calls, &usec)
				r.byCommand[command] = [2]float64{calls, usec}
			}
		}
	})
	r.commands -= g.asked - 1 // the last one is not among them
	return r, err
}

// stored is the memory beyond what an empty server takes.
func (g *redisGauge) stored(ctx context.Context) (int64, error) {
	var used, empty int64
	err := g.info(ctx, func(name, value string) {
		switch name {
		case "used_memory":
			used, _ = strconv.ParseInt(value, 10, 64)
		case "used_memory_startup":
			empty, _ = strconv.ParseInt(value, 10, 64)
		}
	})
	return used - empty, err
}

func (g *redisGauge) info(ctx context.Context, tell func(name, value string)) error {
	g.asked++
	text, err := g.client.Info(ctx, "everything").Result()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		tell(name, value)
	}
	return lines.Err()
}

// trips counts the round trips of go-redis: a pipeline is one.
type trips struct{ atomic.Int64 }

var _ redis.Hook = (*trips)(nil)

// DialHook leaves connections alone.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a command.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.Add(1)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts a pipeline.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.Add(1)
		return next(ctx, cmds)
	}
}
