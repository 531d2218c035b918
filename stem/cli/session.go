package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// open opens the stores of a command, and makes the service over them. The stores are for the caller to close.
func (p *program) open(ctx context.Context) (s *ops.Service, closeStores func() error, err error) {
	stores, err := p.openStores(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err = p.serve(stores)
	if err != nil {
		return nil, nil, errors.Join(err, stores.Close())
	}
	return s, stores.Close, nil
}

// openStores opens the stores of a command, within the patience that one has that does not wait.
func (p *program) openStores(ctx context.Context) (stores adapters.Stores, err error) {
	if p.stores, err = p.configure(); err != nil {
		return stores, err
	}
	p.stores.LookOnly = !p.makesTables
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stores, err = p.cfg.Open(ctx, &p.stores)
	var option *stem.OptionError
	switch {
	case errors.As(err, &option) && p.value("STEM_BROKER_URL") == "":
		return stores, usagef("no broker is named: say --broker, set STEM_BROKER_URL or make a context (%s context set --help)", p.cfg.Name)
	case errors.Is(err, adapters.ErrNoTables):
		return stores, &exitError{ExitRefused, err}
	case errors.As(err, &option):
		return stores, &exitError{ExitUsage, err}
	case err != nil:
		return stores, &exitError{ExitUnreachable, fmt.Errorf("cannot connect: %w", err)}
	}
	return stores, nil
}

// serve makes the service over stores.
func (p *program) serve(stores adapters.Stores) (*ops.Service, error) {
	client, err := stem.NewClient(stores.Broker, p.stores.ClientConfig(stores))
	if err != nil {
		return nil, err
	}
	return ops.New(ops.Stores{
		Broker: stores.Broker, Backend: stores.Backend, Limits: stores.Limits, Revocations: stores.Revocations,
	}, ops.Config{Registry: p.cfg.Registry, Client: client, Mask: slices.Concat(p.cfg.Mask, p.flags.mask)})
}
