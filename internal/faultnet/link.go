package faultnet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is the connection of a client and the one that the proxy made for it.
type link struct {
	proxy  *Proxy
	ctx    context.Context // ends with the link
	cancel context.CancelFunc
	client *net.TCPConn

	mu       sync.Mutex
	server   *net.TCPConn // nil until it is connected
	orphaned bool         // the server has been told of an end, the client has not

	eating atomic.Bool // the next reply does not reach the client
}

// piece is what was read at once, or how a connection ended.
type piece struct {
	due   time.Time
	bytes []byte
	err   error // io.EOF, or the connection was reset
}

// carry forwards both ways until both have ended.
func (l *link) carry() {
	defer l.proxy.forget(l)
	defer l.end(false)
	if !l.proxy.passable(l.ctx) || !l.connect() {
		l.reset()
		return
	}
	requests, replies := make(chan piece, 256), make(chan piece, 256)
	var ways sync.WaitGroup
	ways.Go(func() { l.read(l.client, requests) })
	ways.Go(func() { l.read(l.server, replies) })
	ways.Go(func() { l.forward(requests, l.request) })
	ways.Go(func() { l.forward(replies, l.reply) })
	ways.Wait()
}

func (l *link) connect() bool {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(l.ctx, "tcp", l.proxy.target)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server.(*net.TCPConn)
	return l.ctx.Err() == nil
}

// read reads pieces up to the connection's end, which is the last.
func (l *link) read(from *net.TCPConn, pieces chan<- piece) {
	defer close(pieces)
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		p := piece{due: time.Now().Add(l.proxy.delay()), bytes: b[:n], err: err}
		select {
		case pieces <- p:
		case <-l.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// forward lets pieces arrive when they are due. What goes wrong ends the link.
func (l *link) forward(pieces <-chan piece, arrive func(piece, <-chan piece) error) {
	for p := range pieces {
		if !l.wait(time.Until(p.due)) || !l.wait(l.proxy.transmission(len(p.bytes))) || !l.proxy.passable(l.ctx) {
			return
		}
		if len(p.bytes) > 0 && l.proxy.resets() || arrive(p, pieces) != nil {
			l.reset()
			return
		}
	}
}

var errReset = errors.New("connection reset")

// request brings a piece to the server.
func (l *link) request(p piece, _ <-chan piece) error {
	switch {
	case l.isOrphaned():
		return p.err // the link ends with its client
	case p.err == io.EOF:
		return l.server.CloseWrite()
	case p.err != nil:
		return p.err
	}
	if l.proxy.eats(p.bytes) {
		l.eating.Store(true) // before the server can answer
	}
	_, err := l.server.Write(p.bytes)
	if l.isOrphaned() {
		return nil
	}
	return err
}

// reply brings a piece to the client.
func (l *link) reply(p piece, more <-chan piece) error {
	switch {
	case l.isOrphaned():
		return nil
	case p.err == io.EOF:
		return l.client.CloseWrite()
	case p.err != nil:
		return p.err
	case l.eating.Load():
		l.eat(more)
		return errReset
	}
	_, err := l.client.Write(p.bytes)
	return err
}

// eat drops what the server says until it has nothing more to say. It has applied the
// request then, and sees an ordinary end, at which it drops nothing that it has received.
func (l *link) eat(more <-chan piece) {
	const silence = 20 * time.Millisecond
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case _, ok := <-more:
			if ok {
				quiet.Reset(silence)
				continue
			}
		case <-quiet.C:
		case <-l.ctx.Done():
		}
		_ = l.server.Close()
		l.proxy.ate()
		return
	}
}

// orphan ends the server's side and leaves the client in the belief that it is connected.
func (l *link) orphan() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		l.orphaned = true
		_ = l.server.Close()
	}
}

func (l *link) isOrphaned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.orphaned
}

// reset lets both sides see a reset. What is on its way to them is lost.
func (l *link) reset() { l.end(true) }

// end ends both sides. It may be repeated.
func (l *link) end(reset bool) {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, side := range []*net.TCPConn{l.client, l.server} {
		if side == nil {
			continue
		}
		if reset {
			_ = side.SetLinger(0)
		}
		_ = side.Close()
	}
}

func (l *link) wait(d time.Duration) bool {
	if d <= 0 {
		return l.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}
