//go:build unix

package testredis

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	loopback = "127.0.0.1"
	// busOffset is how far above its port a server of a cluster has its bus.
	busOffset = 10_000
)

// freePort finds a port that nobody listens on, and its bus neither. Both lie below the
// ports that kernels give to connections on their way out: else one of those could
// have taken the port when a server comes back to it.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(12_000)
		if err = errors.Join(vacant(port), vacant(port+busOffset)); err == nil {
			return port, nil
		}
	}
	return 0, err
}

func vacant(port int) error {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return err
	}
	return l.Close()
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
