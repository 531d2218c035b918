package main

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gostem/gostem/adapters/memory"
)

// The systems in the memory of one process.
const (
	oursMemory         = "mem-stem"
	oursMemoryNoResult = "mem-stem-noresult"
	channelPool        = "channel" // goroutines that read a buffered channel: the limit, of a program that needs no framework
)

var memoryStore = &store{
	name:      "Memory",
	systems:   []string{oursMemory, oursMemoryNoResult, channelPool},
	peer:      channelPool,
	inProcess: true,
	start: func(context.Context, string) (*server, error) {
		return &server{pid: os.Getpid(), stop: func() {}}, nil
	},
	gauge: func(context.Context, cell) (gauge, error) { return noGauge{}, nil },
	connect: func(_ context.Context, c cell, _ *trips) (system, error) {
		if c.System == channelPool {
			return &channelSystem{tasks: make(chan []byte, channelRoom)}, nil
		}
		return newStem(new(memory.Store), c.System == oursMemoryNoResult)
	},
}

// noGauge is for systems without a server.
type noGauge struct{}

func (noGauge) read(context.Context) (reading, error) { return reading{}, nil }
func (noGauge) stored(context.Context) (int64, error) { return 0, nil }

// channelRoom is more than any measure prepares.
const channelRoom = 1 << 21

// channelSystem is a pool of goroutines that read a channel.
type channelSystem struct {
	tasks chan []byte
	left  atomic.Int64
}

func (c *channelSystem) Enqueue(_ context.Context, n int32) error {
	c.left.Add(1)
	c.tasks <- payload(n)
	return nil
}

func (c *channelSystem) EnqueueMany(ctx context.Context, from, to int32, _ time.Time) error {
	for n := from; n < to; n++ {
		if err := c.Enqueue(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *channelSystem) Work(ctx context.Context, _ []string, slots int, ran func(int32)) error {
	var pool sync.WaitGroup
	for range slots {
		pool.Go(func() {
			for {
				select {
				case task := <-c.tasks:
					ran(number(task))
					c.left.Add(-1)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	pool.Wait()
	return nil
}

func (c *channelSystem) Left(context.Context) (int64, error) { return c.left.Load(), nil }
