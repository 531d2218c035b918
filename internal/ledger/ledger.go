// Package ledger is an account of what tasks have done that is independent of the store
// under test: processes append to it until they are killed, and at the end Check
// says what was lost, what was done twice, and which stale writes were accepted. It is
// for the tests of this module; no user needs it.
package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Kind says what an entry tells.
type Kind string

const (
	// Enqueued: the store has acknowledged the task.
	Enqueued Kind = "enqueued"
	// Effect: a handler has done what the task is for.
	Effect Kind = "effect"
	// Settled: the store has accepted that this delivery ended the task for good.
	Settled Kind = "settled"
)

// Entry is a line of the ledger.
type Entry struct {
	Kind     Kind   `json:"kind"`
	ID       string `json:"id"`
	Attempt  int    `json:"attempt,omitempty"`
	Delivery int64  `json:"delivery,omitempty"`

	// Append fills in who wrote the entry, and which of its entries it is, from 1.
	Worker   string `json:"worker"`
	PID      int    `json:"pid"`
	Sequence int    `json:"sequence"`
}

// Ledger is a file to which many processes append. It may be used concurrently.
type Ledger struct {
	worker string

	mu       sync.Mutex
	file     *os.File
	sequence int
}

// Open opens the ledger at path for a worker, and makes it if there is none. No two
// that are open in one process have the same worker.
func Open(path, worker string) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{worker: worker, file: file}, nil
}

// longest is what a line may have, so that it is written whole beside those of others.
const longest = 4096

// Append adds an entry. It stands in the ledger once Append has returned nil, whatever
// becomes of the process.
func (l *Ledger) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Worker, e.PID, e.Sequence = l.worker, os.Getpid(), l.sequence+1
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	line = append(line, '\n')
	if len(line) > longest {
		return fmt.Errorf("ledger: an entry of %d bytes, want %d at most", len(line), longest)
	}
	if _, err := l.file.Write(line); err != nil { // one write: it is whole or not there
		return fmt.Errorf("ledger: %w", err)
	}
	l.sequence++
	return nil
}

// Close closes the ledger for this worker.
func (l *Ledger) Close() error { return l.file.Close() }

// Read reads the ledger at path. An entry that is damaged or missing, as the sequences of
// the workers tell, is an error: then the ledger proves nothing.
func Read(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	type writer struct {
		worker string
		pid    int
	}
	var entries []Entry
	last := make(map[writer]int)
	for line := range bytes.Lines(text) {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("ledger: %s: entry %d: %w: %q", path, len(entries)+1, err, line)
		}
		w := writer{e.Worker, e.PID}
		if e.Sequence != last[w]+1 {
			return nil, fmt.Errorf("ledger: %s: entry %d: %s (process %d) wrote its entry %d after %d", path, len(entries)+1, e.Worker, e.PID, e.Sequence, last[w])
		}
		last[w]++
		entries = append(entries, e)
	}
	return entries, nil
}
