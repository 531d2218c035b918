package adaptertest

import (
	"context"
	"errors"
	"slices"

	"github.com/gostem/gostem/stem"
)

var brokerClosePromises = []promise{
	{name: "after close every method of the broker answers ErrClosed", check: brokerIsClosed},
	{name: "close ends a receive that blocks", check: closeEndsReceive},
	{name: "close keeps what another connection needs", check: closeLeavesPeer},
}

var backendClosePromises = []promise{
	{name: "after close every method of the backend answers ErrClosed", check: backendIsClosed},
}

// close closes the connection.
func (x *exam) close() {
	x.Helper()
	if x.Close == nil {
		x.Fatalf("got no Stores.Close, want the adapter's")
	}
	if err := x.Close(); err != nil {
		x.Fatalf("close: got error %v, want none", err)
	}
}

// closed expects the error of a closed store.
func (x *exam) closed(method string, err error) {
	x.Helper()
	if !errors.Is(err, stem.ErrClosed) {
		x.Errorf("%s after close: got error %v, want %v", method, err, stem.ErrClosed)
	}
}

// "After Close of the adapter every method answers ErrClosed."
func brokerIsClosed(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	d := x.takeOne(s)
	x.close()
	ctx, cancel := x.bounded()
	defer cancel()
	_, err := x.Broker.Publish(ctx, task("b"))
	x.closed("publish", err)
	_, err = x.Broker.Receive(ctx, ask(s))
	x.closed("receive", err)
	_, err = x.Broker.Extend(ctx, s, d)
	x.closed("extend", err)
	x.closed("settle", x.Broker.Settle(ctx, ack(d)...))
}

// A receive that blocks while the store is closed would block for ever.
func closeEndsReceive(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.close()
	ds, err := c.end()
	same(x, "deliveries", ids(ds), nil)
	x.closed("receive", err)
}

// To close a connection is not to close the store.
func closeLeavesPeer(x *exam) {
	if x.Peer == nil {
		return // there is but one connection
	}
	y := x.peer()
	x.publish(tasks("a", 2)...)
	x.takeOne(x.session())
	x.close()
	y.lapse()
	got := ids(y.take(y.session(), 2))
	slices.Sort(got)
	same(x, "received", got, []string{"a-000", "a-001"})
}

// "After Close of the adapter every method answers ErrClosed."
func backendIsClosed(x *exam) {
	x.save(outcome("a", 1))
	x.close()
	ctx, cancel := x.bounded()
	defer cancel()
	x.closed("save", x.Backend.Save(ctx, outcome("b", 1)))
	_, err := x.Backend.Load(ctx, "a")
	x.closed("load", err)
	if w, ok := stem.As[stem.ResultWatcher](x.Backend); ok {
		_, err := w.Await(context.WithoutCancel(ctx), "a")
		x.closed("await", err)
	}
}
