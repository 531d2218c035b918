package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/internal/certadvice"
)

// advise tells what to do about an error with which a server let nobody in.
func (c *core) advise(ctx context.Context, err error) error {
	addr, secure := c.door()
	advice := ways.Advice(err)
	if advice == "" && secure && !isReply(err) {
		// The server ends the connection with an alert, which a driver that writes meanwhile does not read.
		advice = ways.Advice(c.alert(ctx, addr))
	}
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"):
		return fmt.Errorf("redis: server %s wants a password: put it into the URL, redis://user:password@host:port, or into the options of the client", addr)
	case advice != "":
		return fmt.Errorf("%w%s", err, advice)
	case isReply(err), ctx.Err() != nil:
		return err
	case secure && knock(ctx, addr, speaksRESP):
		return fmt.Errorf("%w: the server speaks no TLS there: use redis://, or its other port", err)
	case !secure && knock(ctx, addr, speaksTLS):
		return fmt.Errorf("%w: the server speaks TLS there: use rediss://, or TLSConfig in the options of the client", err)
	}
	return err
}

// ways are how a store is told of certificates.
var ways = certadvice.Ways{Authority: "Config.TLS", Certificate: "Config.TLS"}

// alert connects and says nothing, to hear what the server has to say of the client's certificate.
func (c *core) alert(ctx context.Context, addr string) (refusal error) {
	secure := c.tlsConfig()
	knock(ctx, addr, func(ctx context.Context, conn net.Conn) bool {
		client := tls.Client(conn, secure)
		if refusal = client.HandshakeContext(ctx); refusal == nil {
			_, refusal = client.Read(make([]byte, 1))
		}
		return false
	})
	if refusal == nil {
		refusal = errors.New("no server")
	}
	return refusal
}

// door tells where the client was to connect, and whether by TLS.
func (c *core) door() (addr string, secure bool) {
	if c.cluster == nil {
		addr = c.client.(*redis.Client).Options().Addr
	} else if addrs := c.cluster.Options().Addrs; len(addrs) > 0 {
		addr = addrs[0]
	}
	return addr, c.tlsConfig() != nil
}

// tlsConfig gives the client's configuration of TLS; nil for none.
func (c *core) tlsConfig() *tls.Config {
	if c.cluster == nil {
		return c.client.(*redis.Client).Options().TLSConfig
	}
	return c.cluster.Options().TLSConfig
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
