package redis

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// once sends a call of a script, one time. A cluster's client sends a command again when its connection breaks, though
// it may have been done and only the answer been lost; so that of the node sends it. The cluster's client takes over where the
// node refuses it: then nothing has been done.
func (c *core) once(ctx context.Context, cmd *redis.Cmd) error {
	if c.cluster == nil {
		return c.client.Process(ctx, cmd)
	}
	key, _ := cmd.Args()[3].(string)
	node, err := c.cluster.MasterForKey(ctx, key)
	if err != nil {
		cmd.SetErr(err)
		return err
	}
	switch err = node.Process(ctx, cmd); {
	case err == nil:
	case isElsewhere(err):
		return c.cluster.Process(ctx, cmd)
	case !isReply(err):
		c.cluster.ReloadState(ctx) // another node may have taken its place
	}
	return err
}

// isElsewhere reports whether a node has refused a command for what another one may do, or itself a moment later.
func isElsewhere(err error) bool {
	for _, prefix := range []string{"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "LOADING"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}
