package main

import (
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
)

// server is one that a cell may kill.
type server interface {
	URL() string
	Kill() error
	Restart() error
	Stop() error
}

// startServer runs what all systems of a store get: Redis with an append-only file that is synced each second, or PostgreSQL
// with the durability of its defaults.
func startServer(store string) (server, error) {
	if store == onRedis {
		return testredis.Run(testredis.Config{AppendOnly: true, AppendFsync: "everysec"})
	}
	return testpostgres.Run(testpostgres.Config{})
}
