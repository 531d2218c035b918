package adaptertest_test

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// faultyControl changes what operators and workers say on its way into a correct store, and out of it.
type faultyControl struct {
	faultyBroker
	stem.CommandPoster
	stem.CommandReceiver
	post    func(c stem.Command) error
	await   func(ctx context.Context, after string) ([]stem.Command, string, error)
	reply   func(r stem.Reply) error
	replies func(ctx context.Context, command, after string) ([]stem.Reply, string, error)
}

func (f *faultyControl) PostCommand(_ context.Context, c stem.Command) error { return f.post(c) }

func (f *faultyControl) AwaitCommands(ctx context.Context, after string) ([]stem.Command, string, error) {
	return f.await(ctx, after)
}

func (f *faultyControl) Reply(_ context.Context, r stem.Reply) error { return f.reply(r) }

func (f *faultyControl) Replies(ctx context.Context, command, after string) ([]stem.Reply, string, error) {
	return f.replies(ctx, command, after)
}

func (f *faultyControl) rightly(c stem.Command) error {
	return f.CommandPoster.PostCommand(context.Background(), c)
}

func (f *faultyControl) replyRightly(r stem.Reply) error {
	return f.CommandReceiver.Reply(context.Background(), r)
}

// controlled makes a fault of methods of its own, which may use the correct ones.
func controlled(set func(f *faultyControl)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		f := &faultyControl{faultyBroker: faultyBroker{Broker: s.Broker}}
		f.CommandPoster, _ = stem.As[stem.CommandPoster](s.Broker)
		f.CommandReceiver, _ = stem.As[stem.CommandReceiver](s.Broker)
		f.post, f.reply = f.rightly, f.replyRightly
		f.await, f.replies = f.CommandReceiver.AwaitCommands, f.CommandPoster.Replies
		set(f)
		s.Broker = f
	}
}

// posting changes what is posted, and replying what is replied.
func posting(change func(c *stem.Command)) func(*adaptertest.Stores) {
	return controlled(func(f *faultyControl) {
		f.post = func(c stem.Command) error {
			change(&c)
			return f.rightly(c)
		}
	})
}

func replying(change func(r *stem.Reply)) func(*adaptertest.Stores) {
	return controlled(func(f *faultyControl) {
		f.reply = func(r stem.Reply) error {
			change(&r)
			return f.replyRightly(r)
		}
	})
}

var controlMutants = []mutant{
	{"takes half of the workers that are meant", posting(func(c *stem.Command) { c.Workers = c.Workers[:len(c.Workers)/2] }),
		[]string{"Capabilities/a command is heard as it was posted"}},
	{"shows a new worker what was said before", controlled(func(f *faultyControl) {
		f.await = func(ctx context.Context, after string) ([]stem.Command, string, error) {
			if after == "" {
				return nil, "0", nil
			}
			return f.CommandReceiver.AwaitCommands(ctx, after)
		}
	}), []string{"Capabilities/who begins to listen hears what is posted from then on"}},
	{"gives each command to one worker", controlled(func(f *faultyControl) {
		had := map[string]bool{}
		f.await = func(ctx context.Context, after string) ([]stem.Command, string, error) {
			for {
				cs, next, err := f.CommandReceiver.AwaitCommands(ctx, after)
				before := len(cs)
				cs = slices.DeleteFunc(cs, func(c stem.Command) bool { return had[c.ID] })
				for _, c := range cs {
					had[c.ID] = true
				}
				if err != nil || before == 0 || len(cs) > 0 {
					return cs, next, err
				}
				after = next
			}
		}
	}), []string{"Capabilities/each who listens hears every command once and in order"}},
	{"answers a place that is one too far", controlled(func(f *faultyControl) {
		f.await = func(ctx context.Context, after string) ([]stem.Command, string, error) {
			cs, next, err := f.CommandReceiver.AwaitCommands(ctx, after)
			n, _ := strconv.Atoi(next)
			return cs, strconv.Itoa(n + 1), err
		}
	}), []string{
		"Capabilities/await commands is woken by a command",
		"Capabilities/await commands is woken by the command of another connection",
		"Capabilities/what is posted while nobody waits is heard",
		"Capabilities/a command outlives its connection",
		"Capabilities/await commands answers its context's error when that ends",
	}},
	{"keeps commands for ever", posting(func(c *stem.Command) {
		if c.For > 0 && c.For <= 24*time.Hour {
			c.For = 24 * time.Hour
		}
	}), []string{"Capabilities/a command goes when its time is over"}},
	{"hides that a call has ended", controlled(func(f *faultyControl) {
		f.await = func(ctx context.Context, after string) ([]stem.Command, string, error) {
			cs, next, err := f.CommandReceiver.AwaitCommands(ctx, after)
			if ctx.Err() != nil {
				return nil, after, nil
			}
			return cs, next, err
		}
		f.replies = func(ctx context.Context, command, after string) ([]stem.Reply, string, error) {
			rs, next, err := f.CommandPoster.Replies(ctx, command, after)
			if ctx.Err() != nil {
				return nil, after, nil
			}
			return rs, next, err
		}
	}), []string{
		"Capabilities/await commands answers its context's error when that ends",
		"Capabilities/replies answers its context's error when that ends",
	}},
	{"posts anything", controlled(func(f *faultyControl) {
		f.post = func(c stem.Command) error {
			if c.Validate() != nil {
				return nil
			}
			return f.rightly(c)
		}
	}), []string{"Capabilities/a command that no worker could read is refused"}},
	{"cuts what workers have in hand", replying(func(r *stem.Reply) { r.Held = r.Held[:len(r.Held)/2] }),
		[]string{"Capabilities/a reply reaches who asks as it was given"}},
	{"takes all replies for those to the first command", replying(func(r *stem.Reply) {
		if r.Command != "" {
			r.Command = "a"
		}
	}), []string{
		"Capabilities/replies are those to the one command, in order",
		"Capabilities/replies is woken by a reply of another connection",
	}},
	{"keeps replies for ever", replying(func(r *stem.Reply) {
		if r.For > 0 {
			r.For = 1000 * time.Hour
		}
	}), []string{"Capabilities/a reply goes when its time is over"}},
	{"takes any reply", controlled(func(f *faultyControl) {
		f.reply = func(r stem.Reply) error {
			if r.Validate() != nil {
				return nil
			}
			return f.replyRightly(r)
		}
	}), []string{"Capabilities/a reply to nothing, of nobody or without a time is refused"}},
	{"ends quietly", controlled(func(f *faultyControl) {
		f.await = func(ctx context.Context, after string) ([]stem.Command, string, error) {
			cs, next, err := f.CommandReceiver.AwaitCommands(ctx, after)
			if err != nil && ctx.Err() == nil {
				return nil, next, nil
			}
			return cs, next, err
		}
		f.post = func(c stem.Command) error {
			_ = f.rightly(c)
			return nil
		}
	}), []string{
		"Capabilities/close ends who waits for commands and for replies",
		"Capabilities/after close commands and replies answer ErrClosed",
	}},
}
