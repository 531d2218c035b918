//go:build unix

// Package testprocess runs the programs that tests start and kill. It is for the
// tests of this module; no user needs it.
package testprocess

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a child of the test process. On Linux it is killed when the test
// process dies, in whatever way. No goroutine waits for it, so that a check for
// leaks finds none while it runs. Its methods may be called concurrently.
type Process struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	life  *os.File // reads EOF once the child and all its descendants are gone: they alone have the other end
	ended bool
}

// Start starts a command, whose standard streams are files or nothing.
func Start(cmd *exec.Cmd) (*Process, error) {
	life, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		life.Close()
		return nil, err
	}
	return &Process{cmd: cmd, life: life}, nil
}

// PID gives the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal. There is an error if the process has ended.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("%v to process %d: %w", sig, p.PID(), err)
	}
	return nil
}

// Pause sends SIGSTOP and waits until the process stands still: until then it may go on for a
// while, and would obey other signals first.
func (p *Process) Pause() error {
	const patience = 10 * time.Second
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); !isStopped(p.PID()); {
		if p.Ended(time.Millisecond) {
			return fmt.Errorf("process %d has ended (%v)", p.PID(), p.State())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not stand still after %v", p.PID(), patience)
		}
	}
	return nil
}

// Continue wakes a paused process.
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Ended waits until the process and its descendants have ended, for as long as
// within says and a millisecond at least, and reports whether they have.
func (p *Process) Ended(within time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return true
	}
	// A deadline that has passed would hide the EOF.
	_ = p.life.SetReadDeadline(time.Now().Add(max(within, time.Millisecond)))
	if _, err := p.life.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	_ = p.life.Close()
	_ = p.cmd.Wait() // how it ended is asked of its state
	p.ended = true
	return true
}

// End sends a signal and waits until the process has ended.
func (p *Process) End(sig syscall.Signal, within time.Duration) error {
	if p.Ended(0) {
		return nil
	}
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if !p.Ended(within) {
		return fmt.Errorf("process %d runs on %v after %v", p.PID(), within, sig)
	}
	return nil
}

// State says how the process ended; nil while it runs.
func (p *Process) State() *os.ProcessState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		return nil
	}
	return p.cmd.ProcessState
}
