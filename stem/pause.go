package stem

import (
	"context"
	"fmt"
)

// QueuePauser pauses queues, a capability. Nothing is lent from a paused queue: no ready
// envelope, nothing that a lapsed session has left behind, and nothing that a Receive
// looks for with Recover. All else goes on: envelopes are published and become due, and
// what is on loan is extended and settled. A store can keep a mark beside the queue,
// a key on Redis and a column on Postgres, that each receive looks at with the rest.
type QueuePauser interface {
	// PauseQueue pauses a queue, or with paused false resumes it, for all connections
	// and also if they end. The queue need not exist, and the call may be repeated.
	//
	// When it has answered, receives that begin later lend nothing from a paused queue, and
	// those that wait at that time lend nothing any more within 5 s: a store in which they block
	// can let them look again that often. To resume a queue wakes those that wait.
	PauseQueue(ctx context.Context, queue string, paused bool) error
}

// Pause keeps workers from receiving anything more from a queue until Resume, also across
// restarts. Workers may go on for up to 5 s, and finish what they have in hand. Tasks can be
// enqueued as ever, and wait; retries come due, and wait as well. Pause may be
// repeated, and the queue may be one that nobody has used yet.
//
// It answers an error where the broker is no [QueuePauser].
func (c *Client) Pause(ctx context.Context, queue string) error { return c.pause(ctx, queue, true) }

// Resume ends a pause of a queue. Workers that wait go on at once. To resume a queue that is
// not paused does nothing.
func (c *Client) Resume(ctx context.Context, queue string) error { return c.pause(ctx, queue, false) }

func (c *Client) pause(ctx context.Context, queue string, paused bool) error {
	if c == nil {
		return ErrNoClient
	}
	what := "resume"
	if paused {
		what = "pause"
	}
	if err := validName("queue", queue); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if c.pauser == nil {
		return fmt.Errorf("stem: %s queue %s: the broker %T is no stem.QueuePauser", what, queue, c.broker)
	}
	call := callContext(ctx, c.cfg.CallTimeout)
	defer call.end(nil)
	if err := c.pauser.PauseQueue(call, queue, paused); err != nil {
		return fmt.Errorf("stem: %s queue %s: %w", what, queue, err)
	}
	return nil
}
