//go:build unix

package faultsite

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Orders are what a worker process is told.
type Orders struct {
	Place string
	Book  string // the ledger
	Name  string
	Lease time.Duration
	Grace time.Duration
	Slots int
	Says  bool // the test reads what it says
	// Prefetch is the worker's; 0 is the default.
	Prefetch int
	// Limited has the worker keep to the limits of tasks, and run Narrow.
	Limited bool
	// Queue is the one that it serves; "" is the default.
	Queue string
	// DieAt is the moment among its calls of the store at which its process dies (see mortal); 0 is none.
	DieAt int
	// Threads is how many run at once; 0 leaves it to Go.
	Threads int
	// Keep is for how long results of what its handlers enqueue are kept, and their ids known; 0 is the default.
	Keep time.Duration
}

// InHand is what a worker with 8 slots can have done without having heard that it is settled: what its handlers have
// just done, and the ends that are on their way.
const InHand = 8 + 128

// Handlers adds handlers of tasks that only one adapter can have, for a worker with such orders.
type Handlers func(r *stem.Registry, o Orders) error

// Programs are those of the worker processes of a package's tests, for its TestMain.
func Programs(open Open, more ...Handlers) map[string]crashworker.Program {
	return map[string]crashworker.Program{
		"work":  func(args []string, ready func()) error { return work(open, more, args, ready) },
		"sleep": func(args []string, ready func()) error { return sleep(open, args, ready) },
	}
}

// work runs a worker until SIGTERM. At SIGUSR1 it says how much time of the CPU it has taken.
func work(open Open, more []Handlers, args []string, ready func()) error {
	var o Orders
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.Threads)
	book, err := ledger.Open(o.Book, o.Name)
	if err != nil {
		return err
	}
	defer book.Close()
	h := &hand{book: book, say: func(format string, args ...any) {
		if o.Says {
			fmt.Printf(format+"\n", args...)
		}
	}}
	store, err := open(context.Background(), o.Place)
	if err != nil {
		return err
	}
	defer store.Close()
	if o.DieAt > 0 {
		if store, err = newMortal(store, o.DieAt); err != nil {
			return err
		}
	}
	worker, err := h.worker(store, o, more)
	if err != nil {
		return err
	}
	tellCPU()
	ready() // before there is anything that could take the process down
	return stem.RunUntilSignal(context.Background(), worker)
}

func (h *hand) worker(store Store, o Orders, more []Handlers) (*stem.Worker, error) {
	client, err := stem.NewClient(store, stem.ClientConfig{
		Logger: slog.Default(), Defaults: Kept(o.Keep), Middleware: []stem.EnqueueMiddleware{dies(o.Name)},
	})
	if err != nil {
		return nil, err
	}
	registry, err := h.registry()
	if err != nil {
		return nil, err
	}
	for _, handlers := range more {
		if err := handlers(registry, o); err != nil {
			return nil, err
		}
	}
	cfg := stem.WorkerConfig{Name: o.Name, Lease: o.Lease, Grace: o.Grace, Slots: o.Slots, Prefetch: o.Prefetch, Observer: h}
	if o.Queue != "" {
		cfg.Queues = []string{o.Queue}
	}
	if o.Limited {
		limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
		if err != nil {
			return nil, err
		}
		if err := stem.Handle(registry, Narrow, h.narrow); err != nil {
			return nil, err
		}
		cfg.Limiter = limits
	}
	return stem.NewWorker(client, registry, cfg)
}

// Kept gives the options of tasks whose results are kept for so long, and their ids known; of 0 there are none.
func Kept(d time.Duration) []stem.Option {
	if d == 0 {
		return nil
	}
	return []stem.Option{stem.KeepResult(d), stem.DedupeWindow(d)}
}

// Worker makes a worker that does what the processes do, at the test's own store, for the test to run.
func (s *Site) Worker(o Orders) *stem.Worker {
	s.t.Helper()
	h := &hand{book: s.Book, say: func(string, ...any) {}}
	worker, err := h.worker(s.Store, o, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return worker
}

// Registry gives the handlers of the tasks, for a worker in the test's own process.
func (s *Site) Registry() *stem.Registry {
	s.t.Helper()
	h := &hand{book: s.Book, say: func(string, ...any) {}}
	registry, err := h.registry()
	if err != nil {
		s.t.Fatal(err)
	}
	return registry
}

// tellCPU says how much time of the CPU the process has taken, its system calls included, whenever it is asked by SIGUSR1.
func tellCPU() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() { // ends with the process
		for range asked {
			var used syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
			fmt.Println("cpu", time.Duration(used.Utime.Nano()+used.Stime.Nano()).Microseconds())
		}
	}()
}

// CPU gives the time of the CPU that a worker has taken.
func (s *Site) CPU(w *Worker) time.Duration {
	s.t.Helper()
	if err := w.Signal(syscall.SIGUSR1); err != nil {
		s.t.Fatal(err)
	}
	line := w.Line(Patience)
	micros, err := strconv.Atoi(strings.TrimPrefix(line, "cpu "))
	if err != nil {
		s.t.Fatalf("a worker says %q, want its time of the CPU", line)
	}
	return time.Duration(micros) * time.Microsecond
}

// Hears reads what a worker says until a line begins with a word, and gives the line's words.
func (s *Site) Hears(w *Worker, word string) []string {
	s.t.Helper()
	for {
		line := w.Line(Patience)
		if line == "" {
			s.t.Fatalf("%s does not say %q", w.Name, word)
		}
		if fields := strings.Fields(line); fields[0] == word {
			return fields
		}
	}
}
