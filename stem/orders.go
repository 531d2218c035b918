package stem

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

const (
	// listenFor is how long one call waits for commands.
	listenFor = time.Minute
	// replyFor is how long a worker tries to reply, and partingFor how long one that is to stop then.
	replyFor   = 5 * time.Second
	partingFor = time.Second
	// keepReply is for how long a reply outlives its command: who asks may come late.
	keepReply = time.Minute
	// mostObeyed is how many commands are remembered, so that none is obeyed twice.
	mostObeyed = 1000
)

// orders is a worker that listens to commands, until Run returns. It has a goroutine and calls of its own: whoever works
// waits for neither, and a store that does not answer ends nothing.
type orders struct {
	w        *Worker
	receiver CommandReceiver
	had      []string // the ids of the last commands
}

// orders gives the worker's, or nil where the broker takes no commands.
func (w *Worker) orders() *orders {
	receiver, ok := As[CommandReceiver](w.client.broker)
	if !ok {
		return nil
	}
	return &orders{w: w, receiver: receiver}
}

// run obeys what is posted from now on until ctx ends.
func (o *orders) run(ctx context.Context) {
	var failing stall
	for after := ""; ctx.Err() == nil; {
		commands, next, err := o.await(ctx, after)
		switch {
		case err == nil:
			if failing != (stall{}) {
				failing = stall{}
				o.w.storeRecovered(ctx, "commands")
			}
			after = next
			for i := range commands {
				o.hear(ctx, &commands[i])
			}
		case errors.Is(err, errAskAgain):
		case errors.Is(err, ErrClosed):
			return // whoever receives says so
		case ctx.Err() == nil:
			wait := failing.next()
			o.w.storeFailed(ctx, "commands", err, wait)
			sleep(ctx, wait)
		}
	}
}

func (o *orders) await(ctx context.Context, after string) ([]Command, string, error) {
	call, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	commands, next, err := o.receiver.AwaitCommands(call, after)
	switch {
	case err != nil && call.Err() != nil && ctx.Err() == nil:
		err = errAskAgain
	case err == nil && after != "" && len(commands) == 0:
		err = errSilence
	}
	return commands, next, err
}

// errSilence: a store that does not wait would be asked again and again.
var errSilence = errors.New("stem: the broker answered a wait for commands with nothing, instead of waiting")

// hear obeys a command that is meant for this worker, and replies.
func (o *orders) hear(ctx context.Context, c *Command) {
	w := o.w
	if c.Malformed != nil {
		w.log.WarnContext(ctx, "stem: a command to workers cannot be read and is passed over", "error", c.Malformed)
		return
	}
	if !w.meant(c) || slices.Contains(o.had, c.ID) {
		return
	}
	if len(o.had) == mostObeyed {
		o.had = slices.Delete(o.had, 0, 1)
	}
	o.had = append(o.had, c.ID)
	reply := Reply{Command: c.ID, Worker: w.session.ID, Name: w.cfg.Name, For: c.For + keepReply}
	err := o.accept(ctx, c)
	if err == nil {
		err = w.obeyCommand(c, &reply)
	}
	log := w.log.With("command", c.Verb, "actor", text(c.Actor, longestWhy), "reason", text(c.Reason, longestWhy))
	if err != nil {
		reply.Err = text(err.Error(), longestMessage)
		log.WarnContext(ctx, "stem: the worker does not obey a command", "error", err)
	} else if !c.asks() {
		log.InfoContext(ctx, "stem: the worker obeys a command")
	}
	if err != nil || c.Verb != CommandShutdown {
		o.reply(ctx, replyFor, reply)
		return
	}
	o.reply(ctx, partingFor, reply) // first: a worker with nothing to do is gone in a moment
	w.Stop(c.Mode)
}

// meant reports whether the worker is among those of a command.
func (w *Worker) meant(c *Command) bool {
	return len(c.Workers) == 0 || slices.Contains(c.Workers, w.cfg.Name) || slices.Contains(c.Workers, w.session.ID)
}

// asks reports whether a command changes nothing.
func (c *Command) asks() bool {
	return c.Verb == CommandPing || c.Verb == CommandStats || c.Verb == CommandInspect
}

// accept asks the configuration whether a command is to be obeyed.
func (o *orders) accept(ctx context.Context, c *Command) (err error) {
	ask := o.w.cfg.AcceptCommand
	if ask == nil {
		return nil
	}
	call := callContext(ctx, o.w.client.cfg.CallTimeout)
	defer call.end(nil)
	defer func() {
		if p := recover(); p != nil {
			o.w.log.ErrorContext(ctx, "stem: AcceptCommand panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("refused: AcceptCommand panicked: %v", p)
		}
	}()
	if err := ask(call, c); err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	return nil
}

// reply tries to reply for so long at most. Who asks is told of a worker that has not.
func (o *orders) reply(ctx context.Context, patience time.Duration, r Reply) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var failing stall
	for {
		err := o.receiver.Reply(within, r)
		if err == nil || errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return
		}
		if !sleep(within, failing.next()) {
			o.w.log.WarnContext(ctx, "stem: cannot reply to a command", "error", err)
			return
		}
	}
}

var errStopping = errors.New("the worker is stopping")

// obeyCommand does what a command says, but for stopping, and puts into the reply what was asked for.
func (w *Worker) obeyCommand(c *Command, r *Reply) error {
	if changes := c.Verb == CommandPause || c.Verb == CommandResume || c.Verb == CommandConcurrency; changes && w.stops.warm.raised() {
		return errStopping
	}
	switch c.Verb {
	case CommandPing:
	case CommandStats:
		r.Stats = w.stats()
	case CommandInspect:
		r.Held, r.HeldCount = w.inspect(mostHeld)
	case CommandRevoke:
		r.Count = w.held.revoke(c)
	case CommandPause, CommandResume:
		r.Count = w.resting.set(w.rota.queues, c.Queues, c.Verb == CommandPause)
		w.room.interrupt()
	case CommandShutdown: // once it is replied
	case CommandConcurrency:
		return w.SetSlots(c.Slots)
	default:
		return fmt.Errorf("this worker knows no command %q: it may be older than the program that sent it", c.Verb)
	}
	return nil
}

// revoke cancels what a command means, and counts it.
func (h *held) revoke(c *Command) (n int) {
	ids := make(map[string]bool, len(c.IDs))
	for _, id := range c.IDs {
		ids[id] = true
	}
	meant := func(l *loan) bool {
		if len(c.Queues) > 0 && !slices.Contains(c.Queues, l.Queue) {
			return false
		}
		for id := range l.Lineage {
			if ids[id] && (id == l.ID || c.Family) {
				return true
			}
		}
		return false
	}
	cause := revoked(text(c.Reason, longestWhy))
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := h.first; l != nil; l = l.next {
		if l.ctx.Err() == nil && meant(l) {
			l.lose(cause)
			n++
		}
	}
	return n
}
