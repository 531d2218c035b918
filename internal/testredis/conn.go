//go:build unix

package testredis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn speaks as much of RESP as it takes to run servers.
type conn struct {
	net.Conn
	replies *bufio.Reader
}

// do sends a command and answers its reply: string, int64, []any, nil, or
// replyError where the server refuses it. It takes 5 s at most.
func (c *conn) do(args ...string) (any, error) {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	command := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		command = fmt.Appendf(command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := c.Write(command); err != nil {
		return nil, err
	}
	reply, err := c.reply()
	if refused, ok := reply.(replyError); ok && err == nil {
		return nil, refused
	}
	return reply, err
}

// replyError is what the server says where it refuses a command.
type replyError string

func (e replyError) Error() string { return string(e) }

func (c *conn) reply() (any, error) {
	line, err := c.replies.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("no RESP: %q", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+':
		return text, nil
	case '-':
		return replyError(text), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("no RESP: %q", line)
	}
	switch {
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		return c.bulk(n)
	case kind == '*':
		return c.array(n)
	}
	return nil, fmt.Errorf("no RESP 2: %q", line)
}

func (c *conn) bulk(n int64) (any, error) {
	text := make([]byte, n+2)
	if _, err := io.ReadFull(c.replies, text); err != nil {
		return nil, err
	}
	return string(text[:n]), nil
}

func (c *conn) array(n int64) (any, error) {
	items := make([]any, n)
	for i := range items {
		var err error
		if items[i], err = c.reply(); err != nil {
			return nil, err
		}
	}
	return items, nil
}
