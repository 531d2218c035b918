//go:build unix

package faultnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/faultnet"
	"github.com/gostem/gostem/internal/testredis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that says what it hears, and remembers it.
type echo struct {
	net.Listener
	done  sync.WaitGroup
	mu    sync.Mutex
	heard bytes.Buffer
	ended int
	conns []net.Conn
}

func newEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	e.done.Go(e.serve)
	t.Cleanup(func() {
		e.Close()
		e.mu.Lock()
		for _, c := range e.conns {
			c.Close()
		}
		e.mu.Unlock()
		e.done.Wait()
	})
	return e
}

func (e *echo) serve() {
	for {
		c, err := e.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns = append(e.conns, c)
		e.mu.Unlock()
		e.done.Go(func() {
			_, _ = io.Copy(c, io.TeeReader(c, e))
			c.Close()
			e.mu.Lock()
			e.ended++
			e.mu.Unlock()
		})
	}
}

func (e *echo) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.Write(b)
}

func (e *echo) said() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

// hasEnded waits until n connections have ended.
func (e *echo) hasEnded(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		e.mu.Lock()
		ended := e.ended
		e.mu.Unlock()
		if ended == n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the server: want it to see %d connections end", n)
}

type caller struct {
	*testing.T
	net.Conn
}

func call(t *testing.T, p *faultnet.Proxy) caller {
	t.Helper()
	c, err := net.DialTimeout("tcp", p.Addr(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return caller{t, c}
}

func (c caller) say(text string) {
	c.Helper()
	if _, err := c.Conn.Write([]byte(text)); err != nil {
		c.Fatal(err)
	}
}

// hear reads n bytes.
func (c caller) hear(n int, within time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, n)
	n, err := io.ReadFull(c.Conn, b)
	return string(b[:n]), err
}

func (c caller) hears(want string) {
	c.Helper()
	if got, err := c.hear(len(want), 10*time.Second); got != want {
		c.Fatalf("got %q, error %v, want %q", got, err, want)
	}
}

func (c caller) hearsNothing() {
	c.Helper()
	if got, err := c.hear(1, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("got %q, error %v, want nothing at all", got, err)
	}
}

func (c caller) isReset() {
	c.Helper()
	if got, err := c.hear(1, 10*time.Second); !errors.Is(err, syscall.ECONNRESET) {
		c.Fatalf("got %q, error %v, want a reset", got, err)
	}
}

func TestWithoutFaultsAllArrivesAndEnds(t *testing.T) {
	e := newEcho(t)
	c := call(t, faultnet.Start(t, e.Addr().String(), 1))
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		_, _ = c.Conn.Write(want)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(c.Conn); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, error %v, want the %d that were sent", len(got), err, len(want))
	}
	e.hasEnded(t, 1)
}

func TestLatencyAndJitterDelayEachWay(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 1)
	c := call(t, p)
	c.say("a")
	c.hears("a")
	p.Set(faultnet.Faults{Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond})
	begin := time.Now()
	c.say("b")
	c.hears("b")
	if got := time.Since(begin); got < 40*time.Millisecond {
		t.Errorf("there and back: got %v, want 40ms at least", got)
	}
}

func TestPiecesTravelOneBehindTheOther(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 1)
	p.Set(faultnet.Faults{Latency: 100 * time.Millisecond})
	c := call(t, p)
	begin := time.Now()
	for range 20 {
		c.say("piece")
		time.Sleep(2 * time.Millisecond)
	}
	c.hears("piecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiecepiece")
	if got := time.Since(begin); got > 2*time.Second { // one after the other they take 4 s
		t.Errorf("20 pieces: got %v, want a fraction of a second", got)
	}
}

func TestBandwidthIsLimited(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 1)
	p.Set(faultnet.Faults{Bandwidth: 64_000})
	c := call(t, p)
	begin := time.Now()
	text := string(bytes.Repeat([]byte("x"), 6_400))
	c.say(text)
	c.hears(text)
	if got := time.Since(begin); got < 200*time.Millisecond {
		t.Errorf("6,400 bytes at 64,000 a second there and back: got %v, want 200ms at least", got)
	}
}

func TestPiecesResetTheirConnectionWithAProbability(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 7)
	p.Set(faultnet.Faults{Reset: 0.2})
	resets := 0
	for range 100 {
		c := call(t, p)
		if _, err := c.Conn.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.hear(1, 10*time.Second); errors.Is(err, syscall.ECONNRESET) {
			resets++
		}
		c.Close()
	}
	if got := p.Counts(); got.Resets != resets || got.Connections != 100 || resets < 15 || resets > 60 { // 36 are expected
		t.Errorf("got %+v and %d connections reset, want as many, about a third", got, resets)
	}
}

func TestABlackHoleHoldsWhatIsSentUntilItCloses(t *testing.T) {
	e := newEcho(t)
	p := faultnet.Start(t, e.Addr().String(), 1)
	old, gone := call(t, p), call(t, p)
	for _, c := range []caller{old, gone} {
		c.say("a")
		c.hears("a")
	}
	p.Set(faultnet.Faults{BlackHole: true})
	fresh := call(t, p)
	old.say("b")
	fresh.say("c")
	gone.Close()
	old.hearsNothing()
	fresh.hearsNothing()
	if got := e.said(); got != "aa" {
		t.Errorf("the server heard %q, want what was said before", got)
	}
	e.hasEnded(t, 0)
	p.Set(faultnet.Faults{})
	old.hears("b")
	fresh.hears("c")
	e.hasEnded(t, 1)
}

func TestACutResetsWhatIsThereAndAllowsWhatComes(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 1)
	c := call(t, p)
	c.say("a")
	c.hears("a")
	p.Cut()
	c.isReset()
	c = call(t, p)
	c.say("b")
	c.hears("b")
}

func TestConnectionsAreRefusedUntilTheyAreAllowed(t *testing.T) {
	p := faultnet.Start(t, newEcho(t).Addr().String(), 1)
	c := call(t, p)
	c.say("a")
	c.hears("a")
	p.Refuse()
	c.isReset()
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: got error %v, want it refused", err)
	}
	p.Allow()
	p.Allow() // is no fault
	c = call(t, p)
	c.say("b")
	c.hears("b")
}

func TestAHalfOpenConnectionHasEndedForTheServerAlone(t *testing.T) {
	e := newEcho(t)
	p := faultnet.Start(t, e.Addr().String(), 1)
	c := call(t, p)
	c.say("a")
	c.hears("a")
	p.HalfOpen()
	e.hasEnded(t, 1)
	c.say("b")
	c.hearsNothing()
	c.say("c")
	if got := e.said(); got != "a" {
		t.Errorf("the server heard %q, want a", got)
	}
	fresh := call(t, p)
	fresh.say("d")
	fresh.hears("d")
}

func TestAReplyIsEatenAfterTheServerHasHeardTheRequest(t *testing.T) {
	e := newEcho(t)
	p := faultnet.Start(t, e.Addr().String(), 1)
	p.EatReplies(1, func(request []byte) bool { return bytes.Contains(request, []byte("settle")) })
	c := call(t, p)
	c.say("hello ")
	c.hears("hello ")
	c.say("settle")
	c.isReset()
	if got, want := e.said(), "hello settle"; got != want {
		t.Errorf("the server heard %q, want %q", got, want)
	}
	e.hasEnded(t, 1)
	c = call(t, p)
	c.say("settle")
	c.hears("settle") // one was asked for
	if got := p.Counts().Eaten; got != 1 {
		t.Errorf("eaten: got %d replies, want 1", got)
	}
}

// A server that executes what it has received does so although its client is gone.
func TestRedisHasAppliedWhatItsClientNeverHears(t *testing.T) {
	s := testredis.Start(t, testredis.Config{})
	p := faultnet.Start(t, s.Addr(), 1)
	p.EatReplies(1, func(request []byte) bool { return bytes.Contains(request, []byte("INCR")) })
	c := call(t, p)
	c.say("SET n 41\r\n")
	c.hears("+OK\r\n")
	c.say("INCR n\r\nINCR n\r\nINCR n\r\n")
	c.isReset()
	if got, err := s.Do("GET", "n"); err != nil || got != "44" {
		t.Errorf("n: got %v, error %v, want 44", got, err)
	}
}

func TestALateReplyIsEatenToo(t *testing.T) {
	e := newEcho(t)
	p := faultnet.Start(t, e.Addr().String(), 1)
	p.EatReplies(2, nil)
	p.Set(faultnet.Faults{Latency: 50 * time.Millisecond})
	for range 2 {
		c := call(t, p)
		c.say("a")
		c.isReset()
	}
	if got := e.said(); got != "aa" {
		t.Errorf("the server heard %q, want both requests", got)
	}
}

func TestAServerThatIsAwayResetsItsClients(t *testing.T) {
	e := newEcho(t)
	p := faultnet.Start(t, e.Addr().String(), 1)
	e.Close()
	c, err := net.Dial("tcp", p.Addr())
	if errors.Is(err, syscall.ECONNRESET) {
		return // so soon
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	caller{t, c}.isReset()
}
