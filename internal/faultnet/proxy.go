// Package faultnet is a network that fails: a TCP proxy between a client and a server
// whose faults a test switches while both run. It is for the tests of this
// module; no user needs it.
package faultnet

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/freeport"
)

// Faults are what happens to the bytes of all connections, each way. The zero value is
// a network without faults.
type Faults struct {
	// Latency is how long a piece of up to 16 KiB takes. Pieces travel one behind the other: latency
	// costs no bandwidth.
	Latency time.Duration
	// Jitter is how much longer a piece may take, at random. None overtakes another.
	Jitter time.Duration
	// Bandwidth limits the bytes a second of a connection, each way. Default: no limit.
	Bandwidth int
	// Reset is the probability, from 0 to 1, that a piece resets its connection instead of
	// arriving.
	Reset float64
	// BlackHole lets nothing through, neither bytes nor the end of a connection. New
	// connections are accepted. What was sent arrives when the hole is closed, as
	// TCP would send it again.
	BlackHole bool
}

// Counts are what has happened, so that a test can tell that its faults did.
type Counts struct {
	Connections int // accepted
	Resets      int // pieces that reset their connection
	Eaten       int // replies
}

// Proxy forwards connections to one server. Where that does not answer, a new connection is
// accepted and reset. The methods may be called concurrently.
type Proxy struct {
	t      testing.TB
	addr   string
	target string
	ctx    context.Context
	done   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]struct{}
	faults   Faults
	changed  chan struct{} // closed when faults change
	random   *rand.Rand
	hunger   int // replies to be eaten
	appetite func(request []byte) bool
	counts   Counts
}

// Start runs a proxy before the server at target until the test ends. The seed
// is that of jitter and resets.
func Start(t testing.TB, target string, seed uint64) *Proxy {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{
		t: t, target: target, ctx: ctx, links: make(map[*link]struct{}),
		changed: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 0)),
	}
	t.Cleanup(func() {
		cancel()
		p.Refuse()
		p.done.Wait()
	})
	for range 3 {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		p.addr = freeport.Address(port)
		if err = p.listen(); err == nil {
			return p
		}
		t.Log(err)
	}
	t.Fatal("faultnet: no port to listen on")
	return nil
}

// Addr gives host and port of the proxy.
func (p *Proxy) Addr() string { return p.addr }

// Set replaces the faults. They hold for what is under way, too.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// Cut resets all connections. New ones are accepted.
func (p *Proxy) Cut() {
	for _, l := range p.open() {
		l.reset()
	}
}

// Refuse resets all connections and refuses new ones until Allow.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Allow ends Refuse.
func (p *Proxy) Allow() {
	if err := p.listen(); err != nil {
		p.t.Errorf("faultnet: %v", err)
	}
}

// HalfOpen lets the server see the end of all connections, and the clients nothing: what they
// send goes nowhere, and no answer comes. New connections are not affected.
func (p *Proxy) HalfOpen() {
	for _, l := range p.open() {
		l.orphan()
	}
}

// EatReplies lets the next n requests reach the server and keeps its replies from the
// client, whose connection is reset instead. A request is what a client sends in one
// piece; match chooses among them, nil takes each.
func (p *Proxy) EatReplies(n int, match func(request []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hunger, p.appetite = n, match
}

// Counts says what has happened so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.ctx.Err() != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.done.Go(func() { p.accept(l) })
	return nil
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		k := &link{proxy: p, client: client.(*net.TCPConn)}
		k.ctx, k.cancel = context.WithCancel(p.ctx)
		if !p.admit(k) {
			k.reset()
			return
		}
		p.done.Go(k.carry)
	}
}

// admit notes a link, unless connections have been refused since it was accepted.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return false
	}
	p.links[l] = struct{}{}
	p.counts.Connections++
	return true
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// delay draws how long a piece takes.
func (p *Proxy) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.faults.Latency
	if p.faults.Jitter > 0 {
		d += time.Duration(p.random.Int64N(int64(p.faults.Jitter)))
	}
	return d
}

// transmission gives how long n bytes take at the bandwidth.
func (p *Proxy) transmission(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.Bandwidth <= 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(p.faults.Bandwidth)
}

// resets draws whether a piece resets its connection.
func (p *Proxy) resets() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.Reset <= 0 || p.random.Float64() >= p.faults.Reset {
		return false
	}
	p.counts.Resets++
	return true
}

// eats reports whether the reply to a request is to be eaten.
func (p *Proxy) eats(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hunger == 0 || p.appetite != nil && !p.appetite(request) {
		return false
	}
	p.hunger--
	return true
}

func (p *Proxy) ate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Eaten++
}

// passable waits until there is no black hole, or ctx ends.
func (p *Proxy) passable(ctx context.Context) bool {
	for {
		p.mu.Lock()
		hole, changed := p.faults.BlackHole, p.changed
		p.mu.Unlock()
		if !hole {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
