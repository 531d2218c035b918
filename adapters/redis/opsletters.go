package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// ListDeadLetters answers a page, by one call of a script that looks at 1,000 letters or 1 MiB of envelopes.
func (c *core) ListDeadLetters(ctx context.Context, q ops.DeadLetterQuery) (ops.DeadLetterPage, error) {
	if err := c.begin(); err != nil {
		return ops.DeadLetterPage{}, err
	}
	defer c.calls.Done()
	if err := validLimit(q.Limit); err != nil {
		return ops.DeadLetterPage{}, err
	}
	list := cursorOf("letters", q.Queue, q.Task, q.ID)
	after, err := list.read(q.After)
	if err != nil {
		return ops.DeadLetterPage{}, err
	}
	call := lettersScript.start(6, c.keysOf(q.Queue).all)
	call.endKeys()
	call.add(q.Limit, q.Task, q.ID, bound(q.Since), bound(q.Until), after)
	reply, err := c.run(ctx, &call)
	if err != nil {
		return ops.DeadLetterPage{}, c.failed("list dead letters", err)
	}
	texts, ok := reply.([]any)
	if !ok || len(texts) < 2 || (len(texts)-2)%4 != 0 {
		return ops.DeadLetterPage{}, c.failed("list dead letters", errReply)
	}
	next, _ := texts[0].(string)
	looked, _ := texts[1].(int64)
	page := ops.DeadLetterPage{Next: list.write(next), Looked: int(looked)}
	for texts = texts[2:]; len(texts) > 0; texts = texts[4:] {
		where, _ := texts[0].(string)
		at, _ := texts[1].(string)
		about, _ := texts[2].(string)
		published, _ := texts[3].(string)
		letter := ops.DeadLetter{DeadLetter: letterOf(q.Queue, about, published), Place: hex.EncodeToString([]byte(where))}
		letter.At = timeOfScript(at)
		if (q.ID == "" || letter.ID == q.ID) && (q.Task == "" || letter.Task == q.Task) {
			page.Letters = append(page.Letters, letter)
		}
	}
	return page, nil
}

// bound gives a time in ms, rounded up: a letter is set aside at a whole one. There is none for the zero time.
func bound(t time.Time) any {
	if t.IsZero() {
		return ""
	}
	return t.Add(time.Millisecond - 1).UnixMilli()
}

// letterOf makes a dead letter of what is known about it and what was published.
func letterOf(queue, about, published string) stem.DeadLetter {
	_, envelope := cutSchema(published)
	letter := stem.DeadLetter{Queue: queue, Envelope: []byte(envelope)}
	if err := parseBurial(about, &letter); err != nil {
		letter.Reason = err.Error()
	}
	return letter
}

// RemoveDeadLetters deletes dead letters, by one call of a script for each 1,000.
func (c *core) RemoveDeadLetters(ctx context.Context, queue string, letters ...ops.DeadLetter) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	var failed []stem.ItemError
	for from := 0; from < len(letters); from += mostAtOnce {
		some := letters[from:min(from+mostAtOnce, len(letters))]
		call := unburyScript.start(len(some), c.keysOf(queue).all)
		call.endKeys()
		for i := range some {
			where, _ := hex.DecodeString(some[i].Place) // one that is no place is not found
			call.add(where)
		}
		reply, err := c.run(ctx, &call)
		var gone []int
		if err == nil {
			gone, err = parseIndices(reply)
		}
		if err != nil {
			for i := range some {
				failed = unknown(failed, []int{from + i}, c.failed("remove dead letters", err))
			}
			continue
		}
		for _, place := range gone {
			failed = append(failed, stem.ItemError{Index: from + place, Err: ops.ErrGone})
		}
	}
	return partial(failed)
}

// AnnotateReplay notes in a record that its dead letter was sent back. The script writes only over what has been read; where
// somebody was faster it is read again.
func (c *core) AnnotateReplay(ctx context.Context, id, as string) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	now, err := c.now(ctx)
	if err != nil {
		return c.failed("annotate", err)
	}
	bucket := c.bucket(id)
	for range 10 {
		stood, err := c.client.HGet(ctx, bucket, id).Result()
		if errors.Is(err, redis.Nil) {
			return stem.ErrNoResult
		}
		if err != nil {
			return c.failed("annotate", err)
		}
		r, err := parseRecord(stood, now)
		if errors.Is(err, stem.ErrResultExpired) {
			return stem.ErrNoResult
		}
		if err != nil {
			return err
		}
		count := 1
		if r.Replays != nil {
			if r.Replays.As == as {
				return nil
			}
			count += r.Replays.Count
		}
		r.Replays = &stem.Replays{Count: count, As: as, At: time.UnixMilli(now).UTC()}
		call := annotateScript.start(3, []any{bucket})
		call.endKeys()
		call.add(id, stood, headOfRecord(stood)+string(stem.AppendResult(nil, &r)))
		reply, err := c.run(ctx, &call)
		if err != nil || reply == int64(1) {
			return c.failed("annotate", err)
		}
	}
	return errors.New("redis: annotate: the record changes all the time")
}

// headOfRecord gives what stands before a record in its hash (see stored).
func headOfRecord(stored string) string {
	parts := strings.SplitAfterN(stored, " ", 4)
	return strings.Join(parts[:len(parts)-1], "")
}
