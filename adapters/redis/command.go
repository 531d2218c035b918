package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

const (
	// listenFor is how long a read of what is said blocks: a connection that is dead without our knowing
	// brings nothing.
	listenFor = 5 * time.Second
	// mostHeard is how much is read at once.
	mostHeard = 50
)

// commandsKey and repliesKey give the streams of what operators say to workers, and of what is replied to one command. They
// lie with what workers say of themselves.
func (c *core) commandsKey() string { return c.cfg.Namespace + ":{%workers}:commands" }

func (c *core) repliesKey(command string) string {
	return c.cfg.Namespace + ":{%workers}:replies:" + command
}

// PostCommand keeps a command for its time, by one call of a script.
func (c *core) PostCommand(ctx context.Context, command stem.Command) error {
	if err := command.Validate(); err != nil {
		return err
	}
	return c.failed("post command", c.say(ctx, c.commandsKey(), stem.AppendCommand(nil, &command), command.For))
}

// Reply keeps a reply for its time, by one call of a script.
func (c *core) Reply(ctx context.Context, r stem.Reply) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return c.failed("reply", c.say(ctx, c.repliesKey(r.Command), stem.AppendReply(nil, &r), r.For))
}

func (c *core) say(ctx context.Context, key string, said []byte, keep time.Duration) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	call := sayScript.start(3, []any{key})
	call.endKeys()
	call.add(c.offset.Load(), said, millis(keep))
	_, err := c.run(ctx, &call)
	return err
}

// AwaitCommands answers commands behind an entry of their stream.
func (c *core) AwaitCommands(ctx context.Context, after string) ([]stem.Command, string, error) {
	if after == "" {
		next, err := c.lastSaid(ctx, c.commandsKey())
		return nil, next, c.failed("await commands", err)
	}
	var commands []stem.Command
	next, err := c.listen(ctx, c.commandsKey(), after, func(said []byte) {
		command, err := stem.ParseCommand(said)
		if err != nil {
			command = stem.Command{Malformed: err}
		}
		commands = append(commands, command)
	})
	return commands, next, c.failed("await commands", err)
}

// Replies answers replies behind an entry of their stream.
func (c *core) Replies(ctx context.Context, command, after string) ([]stem.Reply, string, error) {
	if after == "" {
		after = beforeAll
	}
	var replies []stem.Reply
	next, err := c.listen(ctx, c.repliesKey(command), after, func(said []byte) {
		reply, err := stem.ParseReply(said)
		if err != nil {
			reply = stem.Reply{Malformed: err}
		}
		replies = append(replies, reply)
	})
	return replies, next, c.failed("replies", err)
}

// beforeAll is behind no entry.
const beforeAll = "0-0"

// lastSaid gives the last entry of a stream.
func (c *core) lastSaid(ctx context.Context, key string) (string, error) {
	if err := c.begin(); err != nil {
		return "", err
	}
	defer c.calls.Done()
	last, err := c.client.XRevRangeN(ctx, key, "+", "-", 1).Result()
	if err != nil || len(last) == 0 {
		return beforeAll, err
	}
	return last[0].ID, nil
}

// listen hears what is said behind an entry, and blocks until there is something. It ends with ctx and the store.
func (c *core) listen(ctx context.Context, key, after string, hear func(said []byte)) (next string, err error) {
	if err := c.begin(); err != nil {
		return "", err
	}
	defer c.calls.Done()
	now, err := c.about(ctx)
	if err != nil {
		return "", err
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	begun := time.Now()
	for heard := 0; heard == 0; {
		streams, err := c.blockingRead(reading, key, listenFor, func(ctx context.Context, conn *redis.Conn, block time.Duration) ([]redis.XStream, error) {
			return conn.XRead(ctx, &redis.XReadArgs{Streams: []string{key, after}, Count: mostHeard, Block: block}).Result()
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return "", err
		}
		for _, stream := range streams {
			for _, m := range stream.Messages {
				after = m.ID
				if said, over := spoken(m, now+time.Since(begun).Milliseconds()); !over {
					hear(said)
					heard++
				}
			}
		}
		switch {
		case heard > 0:
		case c.closing.Err() != nil:
			return "", stem.ErrClosed
		case ctx.Err() != nil:
			return "", ctx.Err()
		}
	}
	return after, nil
}

// spoken gives what say.lua has kept, and whether its time is over. What somebody else has put there is nothing that can be
// read.
func spoken(m redis.XMessage, now int64) (said []byte, over bool) {
	text, _ := m.Values["s"].(string)
	until, _ := m.Values["u"].(string)
	end, err := strconv.ParseInt(until, 10, 64)
	return []byte(text), err == nil && end <= now
}
