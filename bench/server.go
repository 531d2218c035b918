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

// server is a redis-server of its own for one measure: without persistence, its folder in memory where
// there is such a place.
type server struct {
	addr    string
	dir     string
	process *testprocess.Process
}

func startServer(ctx context.Context) (*server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = os.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "stem-bench-")
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
	s := &server{addr: freeport.Address(port), dir: dir}
	if s.process, err = testprocess.Start(cmd); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("redis-server: %w: is it installed?", err)
	}
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) ready(ctx context.Context) error {
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

func (s *server) stop() {
	_ = s.process.End(syscall.SIGKILL, 10*time.Second)
	_ = os.RemoveAll(s.dir)
}
