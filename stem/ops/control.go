package ops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// Order is a command and who is to obey it.
type Order struct {
	// Workers are names of workers or ids of their sessions. The default is all.
	Workers []string
	// Command has the verb and what belongs to it. ID, Workers, For, Actor and Reason are set by the service.
	Command stem.Command
	// Timeout is how long replies are waited for: up to 24 h. A worker that has not heard of the command by then
	// does not obey it any more. The default is 10 s.
	Timeout time.Duration
}

// orderTimeout is as long as workers need that look for commands every 5 s, and some more.
const orderTimeout = 10 * time.Second

// Command gives an order to workers and answers what they reply, one reply for each, in the order of their names. A
// reply with Err set is one that does not obey. It returns once every worker that is meant and has announced itself has
// replied, and at the end of Timeout with a *SilentError that names the others, beside the replies that came. Where none has
// announced itself, it waits until then for those that do not.
//
// All but ping, stats and inspect are told to the observer as "worker." and the verb.
func (s *Service) Command(ctx context.Context, by By, o Order) ([]stem.Reply, error) {
	if err := by.validate(); err != nil {
		return nil, err
	}
	replies, err := s.command(ctx, by, o)
	switch o.Command.Verb {
	case stem.CommandPing, stem.CommandStats, stem.CommandInspect:
		return replies, err
	}
	obeyed := 0
	for i := range replies {
		if replies[i].Err == "" {
			obeyed++
		}
	}
	e := Event{By: by, Action: "worker." + o.Command.Verb, Count: obeyed, Err: err}
	if len(o.Workers) == 1 {
		e.ID = o.Workers[0]
	}
	s.tell(ctx, e)
	return replies, err
}

func (s *Service) command(ctx context.Context, by By, o Order) ([]stem.Reply, error) {
	poster, err := capable[stem.CommandPoster](s.stores.Broker)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = orderTimeout
	}
	c := o.Command
	c.ID, c.Workers, c.For, c.Actor, c.Reason = rand.Text(), o.Workers, o.Timeout, by.Actor, by.Reason
	if err := c.Validate(); err != nil {
		return nil, err
	}
	roll, err := s.roll(ctx, o.Workers)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	post, cancel := bounded(ctx)
	defer cancel()
	if err := poster.PostCommand(post, c); err != nil {
		return nil, fmt.Errorf("ops: command %s: %w", c.Verb, err)
	}
	waiting, cancel := context.WithTimeout(ctx, o.Timeout-time.Since(begun))
	defer cancel()
	replies, err := roll.call(waiting, poster, c.ID)
	switch {
	case err == nil:
	case ctx.Err() == nil && waiting.Err() != nil:
		err = roll.silent(o.Timeout)
	default:
		err = fmt.Errorf("ops: replies to %s: %w", c.Verb, err)
	}
	slices.SortFunc(replies, func(a, b stem.Reply) int {
		if order := strings.Compare(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.Worker, b.Worker)
	})
	return replies, err
}

// roll is who is to reply.
type roll struct {
	present []stem.WorkerInfo // those that have announced themselves, and have not replied
	absent  []string          // those that are named, are not among these, and have not replied
	open    bool              // nobody knows who will reply
}

// roll gives those that are to reply where these are named, or all.
func (s *Service) roll(ctx context.Context, named []string) (*roll, error) {
	r := &roll{}
	infos, err := s.Workers(ctx)
	if err != nil && !errors.As(err, new(*UnsupportedError)) {
		return nil, fmt.Errorf("ops: who is to reply: %w", err)
	}
	for _, info := range infos {
		if !info.Stopped && (len(named) == 0 || slices.Contains(named, info.Name) || slices.Contains(named, info.ID)) {
			r.present = append(r.present, info)
		}
	}
	for _, name := range named {
		if !slices.ContainsFunc(r.present, func(i stem.WorkerInfo) bool { return i.Name == name || i.ID == name }) {
			r.absent = append(r.absent, name)
		}
	}
	r.open = len(r.present)+len(r.absent) == 0
	return r, nil
}

// call reads replies until nobody is missing or ctx ends. The first of each worker counts.
func (r *roll) call(ctx context.Context, poster stem.CommandPoster, command string) (replies []stem.Reply, err error) {
	for after := ""; r.open || len(r.present)+len(r.absent) > 0; {
		more, next, err := poster.Replies(ctx, command, after)
		if err != nil {
			return replies, err
		}
		after = next
		for i := range more {
			reply := &more[i]
			if reply.Malformed != nil || slices.ContainsFunc(replies, func(other stem.Reply) bool { return other.Worker == reply.Worker }) {
				continue
			}
			replies = append(replies, *reply)
			r.present = slices.DeleteFunc(r.present, func(i stem.WorkerInfo) bool { return i.ID == reply.Worker })
			r.absent = slices.DeleteFunc(r.absent, func(name string) bool { return name == reply.Name || name == reply.Worker })
		}
	}
	return replies, nil
}

// silent gives the error that names who has not replied, or nil where nobody knows who should have.
func (r *roll) silent(waited time.Duration) error {
	if r.open {
		return nil
	}
	return &SilentError{Silent: r.present, Absent: r.absent, Waited: waited}
}

// SilentError names the workers that have not replied to a command. One that is silent may have been killed, be
// cut off, or be so busy that it does not get to it; once the command's time is over it does not obey any more.
type SilentError struct {
	// Silent have announced themselves in the last 30 s or so.
	Silent []stem.WorkerInfo
	// Absent are those that were named and have not announced themselves.
	Absent []string
	Waited time.Duration
}

// Error names those that are silent, and those that are not there.
func (e *SilentError) Error() string {
	var parts []string
	if len(e.Silent) > 0 {
		names := make([]string, len(e.Silent))
		for i := range e.Silent {
			names[i] = e.Silent[i].Name + " (" + e.Silent[i].ID + ")"
		}
		parts = append(parts, fmt.Sprintf("no reply within %v from %s", e.Waited, brief(names)))
	}
	if len(e.Absent) > 0 {
		parts = append(parts, "no worker there is called "+brief(e.Absent))
	}
	return "ops: " + strings.Join(parts, "; ")
}

// brief names ten of them and counts the rest.
func brief(names []string) string {
	const most = 10
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
