// Package freeport finds ports for the servers of tests. It is for the tests of
// this module; no user needs it.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// BusOffset is how far above its port a server of a Redis cluster has its bus.
const BusOffset = 10_000

// Find finds a port of the loopback that nobody listens on, and on that of its bus
// neither. Somebody may, by the time that it is used: then try another.
//
// Both lie below the ports that kernels give to connections on their way out: else one of
// those could have taken the port when a server comes back to it.
func Find() (int, error) {
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(12_000)
		if err = errors.Join(vacant(port), vacant(port+BusOffset)); err == nil {
			return port, nil
		}
	}
	return 0, err
}

func vacant(port int) error {
	l, err := net.Listen("tcp", Address(port))
	if err != nil {
		return err
	}
	return l.Close()
}

// Address gives host and port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
