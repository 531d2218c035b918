package stem

import (
	"context"
	"errors"
	"fmt"
)

// route is where the envelopes of a definition go. The zero route is the client
// in the context.
type route struct {
	client *Client   // the client that Via bound
	via    Publisher // the publisher that Via bound, where that is no client
	bound  bool
}

// over binds a publisher. A transaction is bound on top of a client, which goes
// on to give defaults and results.
func (r route) over(p Publisher) route {
	r.bound = true
	switch c, isClient := p.(*Client); {
	case isClient:
		r.client, r.via = c, nil
	case p == nil:
		r.client, r.via = nil, nil // nothing is bound: not to be taken for no transaction
	default:
		r.via = p
	}
	return r
}

// clientFor finds the client that resolves defaults and asks for results. A
// transaction can do without one, but then nobody can wait for the job.
func (r route) clientFor(ctx context.Context) (*Client, error) {
	client := r.client
	if client == nil && (!r.bound || r.via != nil) {
		client = clientFrom(ctx)
	}
	if client == nil && r.via == nil {
		return nil, ErrNoClient
	}
	return client, nil
}

// enqueue makes one envelope and publishes it.
func (r route) enqueue(ctx context.Context, spec *TaskSpec, payload []byte, opts []Option) (ticket, error) {
	client, err := r.clientFor(ctx)
	if err != nil {
		return ticket{}, err
	}
	if r.via != nil || client.enqueue != nil {
		tickets, err := r.enqueueMany(ctx, spec, [][]byte{payload}, opts)
		if failedItems(err)[0] {
			return ticket{}, fmt.Errorf("stem: enqueue task %s: %w", spec.Name, ItemErr(err, 0))
		}
		if err != nil {
			return ticket{}, err
		}
		return tickets[0], nil
	}
	p := client.line.take()
	defer client.line.giveBack(p)
	p.envs = p.single[:]
	p.draft.Envelope = &p.single[0]
	if err := p.draft.resolve(ctx, client, spec, payload, opts); err != nil {
		return ticket{}, err
	}
	if err := client.lineOf(p.envs).send(ctx, p); err != nil {
		return ticket{}, fmt.Errorf("stem: enqueue task %s: %w", spec.Name, ItemErr(err, 0))
	}
	if err := p.envs[0].conflict(p.answers[0]); err != nil {
		return ticket{}, err
	}
	return r.ticket(ctx, client, &p.envs[0], p.answers[0]), nil
}

// enqueueMany makes one envelope per payload and publishes them all. Those that
// failed have a zero ticket.
func (r route) enqueueMany(ctx context.Context, spec *TaskSpec, payloads [][]byte, opts []Option) ([]ticket, error) {
	client, err := r.clientFor(ctx)
	if err != nil {
		return nil, err
	}
	if len(payloads) == 0 {
		return nil, nil
	}
	envs := make([]Envelope, len(payloads))
	for i := range envs {
		d := draft{Envelope: &envs[i]}
		if err := d.resolve(ctx, client, spec, payloads[i], opts); err != nil {
			return nil, err
		}
		if i == 1 && (envs[0].DedupeKey != "" || d.unique != nil && d.unique.key != "") {
			return nil, fmt.Errorf("enqueue task %s: %w", spec.Name,
				&OptionError{Option: "WithID, IdempotencyKey or UniqueKey", Value: "for many tasks", Want: "none: every task but the first would be a duplicate of it"})
		}
	}
	answers, err := r.publish(ctx, client, envs)
	if err = checkAnswers(answers, len(envs), err); err != nil {
		var partial *PartialError
		if err = fmt.Errorf("stem: enqueue task %s: %w", spec.Name, err); !errors.As(err, &partial) {
			return nil, err
		}
	}
	err = refuseConflicts(spec.Name, envs, answers, err)
	failed := failedItems(err)
	tickets := make([]ticket, len(envs))
	for i := range tickets {
		if !failed[i] {
			tickets[i] = r.ticket(ctx, client, &envs[i], answers[i])
		}
	}
	return tickets, err
}

func (r route) ticket(ctx context.Context, client *Client, e *Envelope, p Published) ticket {
	if client != nil {
		client.observe.enqueued(ctx, e, p, r.via != nil)
	}
	return ticket{id: p.ID, queue: e.Queue, delay: e.Delay, replaces: p.Replaces, duplicate: p.Duplicate, ignored: e.KeepResult == 0, client: client}
}
