package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// probes are the commands that the store uses on keys and channels, in scripts or by themselves, each in a form that does nothing
// to a key that is a text ($), or to a channel (&) on which nothing else is understood. The first makes the key one.
var probes = []string{
	"SET $ x PX 1000",
	"EXISTS $", "EXPIRE $ 1", "GET $", "HDEL $ f", "HEXISTS $ f", "HGET $ f", "HGETALL $", "HINCRBY $ f 1", "HKEYS $",
	"HMGET $ f", "HSCAN $ 0", "HSET $ f v", "HSETNX $ f v", "PEXPIRE $ 1000", "PTTL $", "PUBLISH & x", "SADD $ m", "SMEMBERS $", "SSCAN $ 0", "TIME",
	"XACK $ g 1-1", "XADD $ * f v", "XCLAIM $ g c 0 1-1", "XDEL $ 1-1", "XGROUP CREATE $ g 0", "XGROUP DELCONSUMER $ g c", "XINFO GROUPS $", "XLEN $",
	"XPENDING $ g", "XRANGE $ - +", "XREAD STREAMS $ 0", "XREADGROUP GROUP g c STREAMS $ >", "XREVRANGE $ + -",
	"ZADD $ 0 m", "ZCARD $", "ZCOUNT $ 0 0", "ZPOPMIN $", "ZRANGE $ 0 0", "ZRANGEBYLEX $ - +", "ZRANGEBYSCORE $ 0 0", "ZREM $ m",
	"ZREMRANGEBYLEX $ - +", "ZREMRANGEBYRANK $ 0 0", "ZREVRANGE $ 0 0", "ZSCORE $ m",
	"GETDEL $", // last: the key is gone
}

// optional are commands that the store can do without, worse; but for those of the driver, CLUSTER SLOTS on a cluster and SELECT where
// the database is not 0.
var optional = []string{"client|id", "client|unblock", "cluster|slots", "config|get", "info", "select", "subscribe"}

// nameOf gives a command as an ACL names it.
func nameOf(probe string) string {
	words := strings.Fields(strings.ToLower(probe))
	if words[0] == "xgroup" || words[0] == "xinfo" {
		return words[0] + "|" + words[1]
	}
	return words[0]
}

// grant is the command that gives a user all that the store needs, but a password.
func grant(user, namespace string) string {
	names := []string{"eval", "evalsha"}
	for _, probe := range probes {
		names = append(names, nameOf(probe))
	}
	names = append(names, optional...)
	slices.Sort(names)
	return fmt.Sprintf("ACL SETUSER %s ~%s:* &%[2]s:* +%s", user, namespace, strings.Join(names, " +"))
}

// missingRights names what the user lacks that the store cannot do without.
func (c *core) missingRights(ctx context.Context) ([]string, error) {
	key, channel := c.cfg.Namespace+":{boot}:probe", c.channel()
	args := []any{"eval", rightsScript.source, 1, key}
	for _, probe := range probes {
		args = append(args, strings.Replace(probe, "&", channel, 1))
	}
	pipe := c.client.Pipeline()
	evalsha := pipe.Do(ctx, "evalsha", strings.Repeat("0", 40), 1, key)
	eval := pipe.Do(ctx, args...)
	_, err := pipe.Exec(ctx)
	sent := eval.Err() != nil || eval.Val() != nil // else the driver was refused while it connected
	if err != nil && (!isReply(err) || !sent) {
		return nil, err
	}
	var missing []string
	for name, err := range map[string]error{"evalsha": evalsha.Err(), "eval": eval.Err()} {
		switch {
		case isReply(err) && redis.HasErrorPrefix(err, "NOPERM"):
			missing = append(missing, lacks(name, err.Error(), c.cfg.Namespace))
		case name == "eval" && err != nil:
			return nil, err
		}
	}
	refused, err := eval.Slice()
	for i := 0; err == nil && i+1 < len(refused); i += 2 {
		index, _ := refused[i].(int64)
		text, _ := refused[i+1].(string)
		if int(index) < len(probes) {
			missing = append(missing, lacks(nameOf(probes[index]), text, c.cfg.Namespace))
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

// lacks names the right for the lack of which a command was refused: to the command itself, to the keys or to the channel.
func lacks(name, refusal, namespace string) string {
	switch {
	case strings.Contains(refusal, "run th"): // "… to run the 'get' command", "… can't run this command"
		return name
	case name == "publish":
		return "the channel " + namespace + ":results"
	default:
		return "the keys " + namespace + ":*"
	}
}

// rightsError tells what a user lacks, and the way out.
func (c *core) rightsError(missing []string) error {
	user := c.user()
	return errors.New("redis: user " + user + " has no right to " + strings.Join(missing, ", ") + ": give it what the store needs: " +
		grant(user, c.cfg.Namespace))
}

func (c *core) user() string {
	name := ""
	if c.cluster != nil {
		name = c.cluster.Options().Username
	} else if client, ok := c.client.(*redis.Client); ok {
		name = client.Options().Username
	}
	if name == "" {
		name = "default"
	}
	return name
}
