package cli

import (
	"context"
	"time"

	"github.com/gostem/gostem/adapters"
)

// patience is how long a command that does not wait has, unless --timeout says it.
const patience = 10 * time.Second

// openStores opens the stores of a command.
func (p *program) openStores(ctx context.Context) (adapters.Stores, error) {
	s, err := p.settings()
	if err != nil {
		return adapters.Stores{}, err
	}
	begun := time.Now()
	stores, err := p.cfg.Open(ctx, s)
	if err == nil || exitCode(err) == ExitUsage {
		return stores, err
	}
	return stores, &exitError{ExitUnreachable, &openError{s, time.Since(begun), err}}
}

// bounded ends a context after --timeout, or else after usual; 0 is no bound.
func (p *program) bounded(ctx context.Context, usual time.Duration) (context.Context, context.CancelFunc) {
	if p.flags.timeout > 0 {
		usual = p.flags.timeout
	}
	if usual <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, usual)
}

// openError says which stores could not be opened, and how long that was tried.
type openError struct {
	Settings
	tried time.Duration
	err   error
}

func (e *openError) Error() string {
	stores := "broker " + maskURL(e.Broker)
	if e.Backend != "" && e.Backend != e.Broker {
		stores += ", backend " + maskURL(e.Backend)
	}
	return "cannot connect (" + stores + "; tried for " + age(e.tried) + "): " + e.err.Error()
}

func (e *openError) Unwrap() error { return e.err }

// openURLs opens the stores of URLs.
func openURLs(ctx context.Context, s Settings) (adapters.Stores, error) {
	if err := checkScheme("--broker", s.Broker); err != nil {
		return adapters.Stores{}, err
	}
	return adapters.Open(ctx, s.Broker)
}
