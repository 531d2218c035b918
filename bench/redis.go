package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/internal/freeport"
	"github.com/gostem/gostem/internal/testprocess"
)

// The systems on Redis.
const (
	ours         = "stem"          // results are stored and fenced
	oursNoResult = "stem-noresult" // tasks are fenced, results ignored
	theirs       = "asynq"
	theirsQuick  = "asynq-5ms" // asks every 5 ms whether there is something
	raw          = "raw"       // a hand-written loop over streams: the limit of the store
	rawFenced    = "raw-fenced"
)

var redisStore = &store{
	name:    "Redis",
	systems: []string{ours, oursNoResult, theirs, theirsQuick, raw, rawFenced},
	peer:    theirs,
	limit:   rawFenced,
	asked:   "commands",
	more:    "trips",
	moreOf:  func(r row) string { return digits(r.Trips, 3) },
	start:   startRedis,
	gauge:   newRedisGauge,
	connect: connectRedis,
}

func connectRedis(ctx context.Context, c cell, t *trips) (system, error) {
	switch c.System {
	case ours, oursNoResult:
		return newStemRedis(ctx, c.Addr, c.System == oursNoResult, t)
	case theirs:
		return newAsynq(c.Addr, 0, t), nil
	case theirsQuick:
		return newAsynq(c.Addr, 5*time.Millisecond, t), nil
	case raw:
		return newRaw(c.Addr, t), nil
	default:
		return newFenced(ctx, c.Addr, t)
	}
}

// redisServer is a redis-server without persistence.
type redisServer struct {
	addr    string
	dir     string
	process *testprocess.Process
}

func startRedis(ctx context.Context, folder string) (*server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("/dev/shm"); err == nil && folder == "" {
		folder = "/dev/shm"
	}
	dir, err := os.MkdirTemp(folder, "stem-bench-")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	s := &redisServer{addr: freeport.Address(port), dir: dir}
	if s.process, err = testprocess.Start(cmd); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("redis-server: %w: is it installed?", err)
	}
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return &server{s.addr, s.process.PID(), s.stop}, nil
}

func (s *redisServer) ready(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	defer client.Close()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if s.process.Ended(10*time.Millisecond) || ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("redis-server: %w\n%s", err, log)
		}
	}
}

func (s *redisServer) stop() {
	_ = s.process.End(syscall.SIGKILL, 10*time.Second)
	_ = os.RemoveAll(s.dir)
}
