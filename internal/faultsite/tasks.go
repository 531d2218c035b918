//go:build unix

package faultsite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// Text is the codec of args and results.
var Text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

// The tasks of the worker processes.
var (
	// Chore takes as long as its args say, enters that into the ledger, and gives the number of the delivery that did it.
	Chore = stem.Define(stem.TaskSpec{Name: "fault.chore"}, Text, Text)
	// Vigil says "held", waits until it is cancelled, says "ended", and succeeds nevertheless, unless its args say that it is
	// unfinished then.
	Vigil = stem.Define(stem.TaskSpec{Name: "fault.vigil"}, Text, Text)
	// Grind computes without a pause for as long as its args say.
	Grind = stem.Define(stem.TaskSpec{Name: "fault.grind"}, Text, Text)
	// Poison takes its process down, in the way that its args say.
	Poison = stem.Define(stem.TaskSpec{Name: "fault.poison"}, Text, Text)
)

// hand is what handlers have.
type hand struct {
	book *ledger.Ledger
	say  func(format string, args ...any)
}

func (h *hand) registry() (*stem.Registry, error) {
	r := new(stem.Registry)
	return r, errors.Join(
		stem.Handle(r, Chore, h.chore), stem.Handle(r, Vigil, h.vigil), stem.Handle(r, Grind, h.grind), stem.Handle(r, Poison, h.poison), stem.Handle(r, Life, h.life))
}

func (h *hand) chore(ctx context.Context, span string) (string, error) {
	d, err := time.ParseDuration(span)
	if err != nil {
		return "", stem.Permanent(err)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	return h.effect(ctx)
}

// begin enters into the ledger that a run has begun.
func (h *hand) begin(ctx context.Context) (stem.TaskInfo, error) {
	info, _ := stem.Info(ctx)
	return info, h.book.Append(ledger.Entry{Kind: Tried, ID: info.ID, Attempt: info.Attempt, Delivery: info.Delivery})
}

func (h *hand) effect(ctx context.Context) (string, error) {
	info, _ := stem.Info(ctx)
	err := h.book.Append(ledger.Entry{Kind: ledger.Effect, ID: info.ID, Attempt: info.Attempt, Delivery: info.Delivery})
	return fmt.Sprint(info.Delivery), err
}

func (h *hand) vigil(ctx context.Context, args string) (string, error) {
	info, err := h.begin(ctx)
	if err != nil {
		return "", err
	}
	h.say("held %s %d %d %d %d", info.ID, info.Delivery, info.Attempt, info.Interruptions, info.Releases)
	<-ctx.Done()
	h.say("ended %s %d %v", info.ID, info.Delivery, context.Cause(ctx))
	if args == "unfinished" {
		return "", context.Cause(ctx)
	}
	return h.effect(ctx)
}

func (h *hand) grind(ctx context.Context, span string) (string, error) {
	d, err := time.ParseDuration(span)
	if err != nil {
		return "", stem.Permanent(err)
	}
	if _, err := h.begin(ctx); err != nil {
		return "", err
	}
	for began := time.Now(); time.Since(began) < d; {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
	return h.effect(ctx)
}

func (h *hand) poison(ctx context.Context, kind string) (string, error) {
	if _, err := h.begin(ctx); err != nil {
		return "", err
	}
	poisons[kind]()
	return "", errors.New("the poison has not worked")
}

// Observe enters into the ledger what the store has accepted, and says what it has refused.
func (h *hand) Observe(_ context.Context, e stem.Event) {
	switch e := e.(type) {
	case stem.TaskSucceeded:
		if err := h.book.Append(ledger.Entry{Kind: ledger.Settled, ID: e.ID, Attempt: e.Attempt, Delivery: e.Delivery}); err != nil {
			h.say("%v", err)
		}
	case stem.TaskInterrupted:
		if err := h.book.Append(ledger.Entry{Kind: Rescued, ID: e.ID, Attempt: e.Attempt, Delivery: e.Delivery}); err != nil {
			h.say("%v", err)
		}
	case stem.LeaseLost:
		h.say("refused %s %d", e.ID, e.Delivery)
	}
}
