package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// advise tells what to do about an error with which a server let nobody in.
func (c *core) advise(ctx context.Context, err error) error {
	addr, secure := c.door()
	var stranger *tls.CertificateVerificationError
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"):
		return fmt.Errorf("redis: server %s wants a password: put it into the URL, redis://user:password@host:port, or into the options of the client", addr)
	case errors.As(err, &stranger):
		return fmt.Errorf("%w: for an authority of your own pass a client with TLSConfig.RootCAs to New", err)
	case isReply(err), ctx.Err() != nil:
		return err
	case secure && knock(ctx, addr, speaksRESP):
		return fmt.Errorf("%w: the server speaks no TLS there: use redis://, or its other port", err)
	case !secure && knock(ctx, addr, speaksTLS):
		return fmt.Errorf("%w: the server speaks TLS there: use rediss://, or TLSConfig in the options of the client", err)
	}
	return err
}

// door tells where the client was to connect, and whether by TLS.
func (c *core) door() (addr string, secure bool) {
	if c.cluster == nil {
		o := c.client.(*redis.Client).Options()
		return o.Addr, o.TLSConfig != nil
	}
	o := c.cluster.Options()
	if len(o.Addrs) > 0 {
		addr = o.Addrs[0]
	}
	return addr, o.TLSConfig != nil
}

// knock reports whether who listens at an address speaks a language.
func knock(ctx context.Context, addr string, speaks func(context.Context, net.Conn) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	return speaks(ctx, conn)
}

// speaksRESP asks for a reply, be it that a password is wanted.
func speaksRESP(_ context.Context, conn net.Conn) bool {
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	first := make([]byte, 1)
	_, err := conn.Read(first)
	return err == nil && (first[0] == '+' || first[0] == '-')
}

// speaksTLS begins a handshake. Nothing is said after it, so it does not matter who answers.
func speaksTLS(ctx context.Context, conn net.Conn) bool {
	err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	var alert tls.AlertError
	return err == nil || errors.As(err, &alert)
}
