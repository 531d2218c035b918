package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testprocess"
)

// workerVariable has, in the environment, the orders of a process that is a worker.
const workerVariable = "STEM_FAULTS_WORKER"

// orders are what a worker process is told.
type orders struct{ System, URL, Book, Name string }

// work runs a worker until SIGTERM. It says on standard output what it begins and ends; at SIGUSR1 the tasks end that take
// until they are told to.
func work(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	released := make(chan struct{})
	go func() { <-told; close(released) }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	book, err := ledger.Open(o.Book, o.Name)
	if err != nil {
		return err
	}
	defer book.Close()
	s, err := entrantOf(o.System).open(ctx, o.URL)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Work(ctx, func(t task) {
		fmt.Println("began", t.ID)
		if t.Takes > 0 {
			time.Sleep(t.Takes)
		} else {
			<-released
		}
		if err := book.Append(ledger.Entry{Kind: ledger.Effect, ID: t.ID}); err != nil {
			log.Fatal(err) // the ledger would prove nothing
		}
		fmt.Println("ended", t.ID)
	})
}

// worker is such a process, seen from outside.
type worker struct {
	*testprocess.Process
	name  string
	quiet chan struct{} // closed when all that it said has been heard
}

// hire starts a worker, whose every word goes into the journal.
func hire(o orders, j *journal) (*worker, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	said, says, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer says.Close()
	cmd := exec.Command(program)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), workerVariable+"="+string(text)), says, os.Stderr
	w := &worker{name: o.Name, quiet: make(chan struct{})}
	if w.Process, err = testprocess.Start(cmd); err != nil {
		said.Close()
		return nil, err
	}
	go func() {
		defer close(w.quiet)
		defer said.Close()
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if word, id, ok := strings.Cut(lines.Text(), " "); ok {
				j.hear(w.name, word, id)
			}
		}
	}()
	return w, nil
}

// end sends a signal and waits until the worker is gone and heard.
func (w *worker) end(sig syscall.Signal) error {
	err := w.End(sig, 15*time.Second)
	if err == nil {
		<-w.quiet
	}
	return err
}
