package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// The exit codes of the command.
const (
	ExitOK          = 0   // done
	ExitFailed      = 1   // it failed, or a part of it
	ExitUsage       = 2   // the command line or the configuration cannot be understood
	ExitNotFound    = 3   // what was named is not there
	ExitRefused     = 4   // it was refused: not confirmed, in conflict, or nothing that the store can do
	ExitUnreachable = 5   // a store cannot be reached, or does not answer in time
	ExitTaskFailed  = 6   // the task that was awaited has failed or was cancelled
	ExitTimedOut    = 124 // what was awaited did not happen in time
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{ExitUsage, fmt.Errorf(format, args...)}
}

func notFoundf(format string, args ...any) error {
	return &exitError{ExitNotFound, fmt.Errorf(format, args...)}
}

func refusedf(format string, args ...any) error {
	return &exitError{ExitRefused, fmt.Errorf(format, args...)}
}

func timedOutf(format string, args ...any) error {
	return &exitError{ExitTimedOut, fmt.Errorf(format, args...)}
}

// exitCode says with which code the command ends after an error.
func exitCode(err error) int {
	var (
		known    *exitError
		missing  *ops.NotFoundError
		silent   *ops.SilentError
		option   *stem.OptionError
		form     *ops.FormError
		conflict *stem.UniqueConflictError
		task     *stem.TaskError
		network  net.Error
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &missing), errors.Is(err, stem.ErrNoResult), errors.Is(err, stem.ErrResultExpired):
		return ExitNotFound
	case errors.As(err, &silent) && len(silent.Silent) == 0:
		return ExitNotFound
	case errors.As(err, &silent):
		return ExitTimedOut
	case errors.As(err, &option), errors.As(err, &form):
		return ExitUsage
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, ops.ErrNoRegistry), errors.As(err, &conflict):
		return ExitRefused
	case errors.As(err, &task), errors.Is(err, stem.ErrCancelled):
		return ExitTaskFailed
	case errors.As(err, new(*fs.PathError)): // before networks: the errno in it is a net.Error too
		return ExitFailed
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return ExitUnreachable
	default:
		return ExitFailed
	}
}
