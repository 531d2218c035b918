//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testredis"
)

// open opens the store at a place: the URL of a server, "cluster:" and that of a node, or "sentinels:" and their addresses.
func open(ctx context.Context, place string) (faultsite.Store, error) {
	if url, ok := strings.CutPrefix(place, "cluster:"); ok {
		return redis.OpenCluster(ctx, url, redis.Config{})
	}
	addrs, ok := strings.CutPrefix(place, "sentinels:")
	if !ok {
		return redis.Open(ctx, place, redis.Config{})
	}
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{
		MasterName: "stem", SentinelAddrs: strings.Split(addrs, ","), MaxRetries: -1, ContextTimeoutEnabled: true,
	})
	store, err := redis.New(ctx, client, redis.Config{})
	return watched{store, client}, err
}

// watched is a store with the client that it does not own.
type watched struct {
	*redis.Store
	client *goredis.Client
}

func (w watched) Close() error { return errors.Join(w.Store.Close(), w.client.Close()) }

// newSite makes a site at a place.
func newSite(t *testing.T, place string) *faultsite.Site {
	t.Helper()
	return faultsite.New(t, open, place, place)
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	faultsite.Processes(t, func(t *testing.T) *faultsite.Site {
		return newSite(t, testredis.Start(t, testredis.Config{}).URL())
	})
}

// Whatever the network does, nobody asks the server over and over to end a blocking read that it knows nothing of.
func TestDisturbances(t *testing.T) {
	t.Parallel()
	faultsite.Disturbances(t, func(t *testing.T) *faultsite.Network {
		server := testredis.Start(t, testredis.Config{})
		t.Cleanup(func() {
			if asked := number(t, server, "commandstats", "cmdstat_client|unblock"); asked > 500 {
				t.Errorf("the server was asked %d times to end a read, want some dozens", asked)
			}
		})
		n := faultsite.NewNetwork(t, open, server.Addr(), func(addr string) string { return "redis://" + addr })
		n.Settles = func(request []byte) bool { return bytes.Contains(request, []byte("stem:results:")) }
		n.Receives = func(request []byte) bool { return bytes.Contains(request, []byte("xreadgroup")) }
		return n
	})
}
