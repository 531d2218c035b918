package redis

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// HastenTasks makes tasks due that wait for their time.
func (c *core) HastenTasks(ctx context.Context, tasks ...ops.Task) error {
	return c.change(ctx, tasks, false)
}

// DeleteTasks deletes tasks that wait.
func (c *core) DeleteTasks(ctx context.Context, tasks ...ops.Task) error {
	return c.change(ctx, tasks, true)
}

// How list.lua's states are told to change.lua: by where the task is. What is lent cannot be changed.
var changeable = map[ops.State]string{ops.Ready: "r", ops.Delayed: "w", ops.Retrying: "w", ops.Unknown: "a"}

// change calls a script for those of each queue, a part at a time.
func (c *core) change(ctx context.Context, tasks []ops.Task, deletes bool) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	var failed []stem.ItemError
	byQueue := make(map[string][]int)
	for i := range tasks {
		t := &tasks[i]
		if t.Envelope == nil || changeable[t.State] == "" || !deletes && changeable[t.State] != "w" {
			failed = append(failed, stem.ItemError{Index: i, Err: ops.ErrGone})
			continue
		}
		byQueue[t.Queue] = append(byQueue[t.Queue], i)
	}
	for queue, indices := range byQueue {
		for len(indices) > 0 {
			some := indices[:portionOf(tasks, indices)]
			indices = indices[len(some):]
			gone, err := c.changeSome(ctx, c.keysOf(queue), tasks, some, deletes)
			if err != nil {
				failed = unknown(failed, some, c.failed("change tasks", err))
				continue
			}
			for _, place := range gone {
				failed = append(failed, stem.ItemError{Index: some[place], Err: ops.ErrGone})
			}
		}
	}
	return partial(failed)
}

// portionOf is how many are changed by one call: to find one that waits for its time, the script may read others that
// are about as large.
func portionOf(tasks []ops.Task, indices []int) int {
	const most, mostBytes = 100, 1 << 20
	bytes := 0
	for n, i := range indices {
		if bytes += len(tasks[i].Payload); n == most || n > 0 && bytes > mostBytes {
			return n
		}
	}
	return len(indices)
}

// changeSome changes those that the indices name, and answers the places of those that are gone among them.
func (c *core) changeSome(ctx context.Context, keys *queueKeys, tasks []ops.Task, indices []int, deletes bool) ([]int, error) {
	call := changeScript.start(2+4*len(indices), keys.all)
	unique := make([]string, len(indices))
	for place, i := range indices {
		t, key := &tasks[i], 0
		if deletes && t.Unique != nil {
			key = call.key(keys.unique(t.Unique.Key))
		}
		unique[place] = strconv.Itoa(key) + " " + t.ID
	}
	call.endKeys()
	call.add(c.offset.Load(), flag(deletes))
	for place, i := range indices {
		where, _ := hex.DecodeString(tasks[i].Place) // one that is no place is not found
		call.add(where, changeable[tasks[i].State], unique[place])
	}
	reply, err := c.run(ctx, &call)
	if err != nil {
		return nil, err
	}
	return parseIndices(reply)
}
