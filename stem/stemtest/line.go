package stemtest

import (
	"context"
	"errors"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// line is the store as one process of a runtime reaches it, or as the test does, which has none: it
// fails as it is told to, and a runtime sees what passes.
type line struct {
	*memory.Store
	rt *Runtime
	p  *process // nil: the test's
}

// begin answers why a call fails before it reaches the store, if it does.
func (l *line) begin(op Operation) error {
	if err := l.reach(); err != nil {
		return err
	}
	return l.rt.faults.take(op, false)
}

// reach answers why the process cannot reach the store, if it cannot.
func (l *line) reach() error {
	if l.p == nil {
		return nil
	}
	return l.p.reach()
}

// over answers what becomes of a call that the store has answered.
func (l *line) over(op Operation, err error) error {
	if err != nil {
		return err
	}
	return l.rt.faults.take(op, true)
}

func (l *line) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if err := l.begin(OpPublish); err != nil {
		return nil, err
	}
	answers, err := l.Store.Publish(ctx, envs...)
	l.rt.note(envs, answers, err)
	l.rt.schedule.published(envs, answers, err)
	return answers, l.over(OpPublish, err)
}

// Receive waits until the process is let. Who is to serve every queue serves also those that there
// were not when he asked.
func (l *line) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	for {
		ds, err := l.receive(ctx, req)
		if err != errCalledBack {
			return ds, err
		}
	}
}

var errCalledBack = errors.New("stemtest: the process was called back from a receive")

func (l *line) receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.p != nil {
		admitted, err := l.p.admit(ctx)
		if err != nil {
			return nil, err
		}
		defer context.AfterFunc(admitted, cancel)()
		if l.rt.servesAll() {
			queues, until := l.rt.schedule.served()
			defer context.AfterFunc(until, cancel)()
			req.Queues = queues
		}
	}
	if err := l.begin(OpReceive); err != nil {
		return nil, err
	}
	ds, err := l.Store.Receive(call, req)
	if err != nil && call.Err() != nil && ctx.Err() == nil {
		return nil, errCalledBack
	}
	l.rt.schedule.lent(ds)
	if err = l.over(OpReceive, err); err != nil {
		return nil, err
	}
	if l.p != nil {
		l.p.holds(ds)
	}
	return ds, nil
}

func (l *line) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if err := l.begin(OpExtend); err != nil {
		return nil, err
	}
	notices, err := l.Store.Extend(ctx, s, held...)
	return notices, l.over(OpExtend, err)
}

// Started tells the store which unique tasks begin.
func (l *line) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if err := l.reach(); err != nil {
		return nil, err
	}
	return l.Store.Started(ctx, ds...)
}

// Announce keeps a process that is lost from saying anything of itself.
func (l *line) Announce(ctx context.Context, info stem.WorkerInfo) error {
	if err := l.reach(); err != nil {
		return err
	}
	return l.Store.Announce(ctx, info)
}

func (l *line) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return l.settle(ss, func() error { return l.Store.Settle(ctx, ss...) })
}

func (l *line) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return l.settle(ss, func() error { return l.Store.SaveAndSettle(ctx, ss...) })
}

func (l *line) settle(ss []stem.Settlement, settle func() error) error {
	if l.p != nil {
		l.p.reconnect()
	}
	if err := l.begin(OpSettle); err != nil {
		return err
	}
	err := settle()
	l.rt.schedule.settled(ss, err)
	if l.p != nil {
		l.p.gives(ss, err)
	}
	return l.over(OpSettle, err)
}

func (l *line) Save(ctx context.Context, rs ...stem.Result) error {
	if err := l.begin(OpSave); err != nil {
		return err
	}
	return l.over(OpSave, l.Store.Save(ctx, rs...))
}

func (l *line) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	if err := l.begin(OpLoad); err != nil {
		return nil, err
	}
	results, err := l.Store.Load(ctx, ids...)
	return results, l.over(OpLoad, err)
}

// Await lets time pass, if it is the test that waits.
func (l *line) Await(ctx context.Context, id string) (stem.Result, error) {
	if err := l.begin(OpLoad); err != nil {
		return stem.Result{}, err
	}
	if l.p == nil {
		return l.rt.await(ctx, id)
	}
	return l.Store.Await(ctx, id)
}
