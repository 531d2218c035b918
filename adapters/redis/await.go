package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gostem/gostem/stem"
)

// lookAgain is how often a result is looked for that nobody has announced: an announcement can be lost when a
// connection breaks.
const lookAgain = 2 * time.Second

// Await blocks until a record is final. Whoever waits leaves word of that in the hash in which the record will be; whoever saves
// outcomes announces such hashes. All calls of a process share one subscription, and of each announced hash the process reads
// once what it waits for.
func (c *core) Await(ctx context.Context, id string) (stem.Result, error) {
	if err := c.begin(); err != nil {
		return stem.Result{}, err
	}
	defer c.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	r, err := c.await(ctx, id)
	if err != nil && c.closing.Err() != nil {
		err = stem.ErrClosed
	}
	return r, err
}

func (c *core) await(ctx context.Context, id string) (stem.Result, error) {
	w := c.watch.add(c, id)
	defer c.watch.remove(c, w)
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case r := <-w.found:
			return r, nil
		case <-w.subscribed:
			w.subscribed = nil // what was announced before has not been heard
		case <-look.C:
		case <-ctx.Done():
			return stem.Result{}, ctx.Err()
		}
		r, err := c.look(ctx, id)
		switch {
		case err == nil && r.State.Terminal():
			return r, nil
		case err == nil || errors.Is(err, stem.ErrNoResult):
		case ctx.Err() != nil:
			return stem.Result{}, ctx.Err()
		default:
			return stem.Result{}, err
		}
		look.Reset(lookAgain)
	}
}

// look reads a record, and leaves word that it is waited for if it is not final. Where nothing can be written it only reads.
func (c *core) look(ctx context.Context, id string) (stem.Result, error) {
	call := awaitScript.start(3, []any{c.bucket(id)})
	call.endKeys()
	call.add(c.offset.Load(), id, (2 * lookAgain).Milliseconds())
	reply, err := c.run(ctx, &call)
	if err != nil {
		rs, err := c.load(ctx, []string{id})
		if rs == nil {
			return stem.Result{}, err
		}
		return rs[0], stem.ItemErr(err, 0)
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return stem.Result{}, errReply
	}
	text, _ := list[0].(string)
	now, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return stem.Result{}, errReply
	case list[1] == "":
		return stem.Result{}, stem.ErrNoResult
	}
	return parseRecord(list[1], now)
}
