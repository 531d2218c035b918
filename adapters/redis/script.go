package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one of ours in the server's memory.
type script struct {
	source, sha any // texts, as arguments
}

// The scripts. What they share is put behind the first line of each.
var (
	publishScript  = load("publish", "keys_publish", "base", "state", "unique", "hold")
	receiveScript  = load("receive", "keys_queue", "base", "state", "line", "turn", "ripen")
	plainScript    = load("plain", "keys_publish", "base", "state")
	settleScript   = load("settle", "keys_queue", "base", "state", "line", "unique", "records")
	startedScript  = load("started", "keys_publish", "base", "unique")
	finishScript   = load("finish", "base", "records")
	extendScript   = load("extend", "keys_queue", "base", "state", "line")
	saveScript     = load("save", "base", "records")
	awaitScript    = load("await", "base", "records")
	countScript    = load("count", "keys_queue", "base", "state", "line")
	revokeScript   = load("revoke", "keys_queue", "base", "state")
	pauseScript    = load("pause", "keys_queue", "base", "state")
	resignScript   = load("resign", "keys_publish", "base", "state")
	announceScript = load("announce")
	sayScript      = load("say")
	turnsScript    = load("turns", "base", "bucket")
	penaltyScript  = load("penalize", "base", "bucket")
	placesScript   = load("places", "base")
	rightsScript   = load("rights")
	keepScript     = load("keep")
	listScript     = load("list", "keys_queue", "base", "state", "line", "seek", "entries", "waiting")
	gaugeScript    = load("gauge", "keys_queue", "base", "state", "line", "seek", "entries", "waiting")
	changeScript   = load("change", "keys_queue", "base", "state", "line", "unique", "seek", "entries")
	lettersScript  = load("letters", "keys_queue", "base", "seek")
	unburyScript   = load("unbury", "keys_queue", "base", "seek")
	annotateScript = load("annotate")
)

func load(name string, shared ...string) script {
	flags, body, _ := strings.Cut(source(name), "\n")
	var b strings.Builder
	b.WriteString(flags + "\n")
	for _, part := range shared {
		b.WriteString(source(part))
	}
	b.WriteString(body)
	sum := sha1.Sum([]byte(b.String()))
	return script{b.String(), hex.EncodeToString(sum[:])}
}

func source(name string) string {
	data, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}

// call is a call of a script in the making: room for what comes before the keys, the keys, the arguments.
type call struct {
	script script
	args   []any
}

// start begins a call with keys; more keys may be added until the first argument is.
func (s script) start(room int, keys []any) call {
	args := make([]any, 3, 3+len(keys)+room)
	return call{s, append(args, keys...)}
}

// key adds a key, and answers its index in KEYS.
func (c *call) key(key any) int {
	c.args = append(c.args, key)
	return len(c.args) - 3
}

// endKeys tells that all keys are there.
func (c *call) endKeys() { c.args[2] = len(c.args) - 3 }

func (c *call) add(args ...any) { c.args = append(c.args, args...) }

// command gives the command that calls the script, if the server knows it.
func (c *call) command(ctx context.Context) *redis.Cmd {
	c.args[0], c.args[1] = "evalsha", c.script.sha
	return redis.NewCmd(ctx, c.args...)
}

// text gives the command that calls the script, and sends it along.
func (c *call) text(ctx context.Context) *redis.Cmd {
	c.args[0], c.args[1] = "eval", c.script.source
	return redis.NewCmd(ctx, c.args...)
}

// run calls the script. Where the server does not know it (it is new, somebody has called SCRIPT FLUSH, a replica
// has taken over), nothing has been done yet, and the whole text is sent.
func (c *core) run(ctx context.Context, call *call) (any, error) {
	ctx = patient(ctx)
	cmd := call.command(ctx)
	if err := c.once(ctx, cmd); err == nil || !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return cmd.Result()
	}
	cmd = call.text(ctx)
	_ = c.once(ctx, cmd) // the command has the error
	return cmd.Result()
}

// parseIndices reads the answer of a script that is a list of numbers, or 0 for none.
func parseIndices(reply any) ([]int, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, nil
	}
	out := make([]int, len(list))
	for i, v := range list {
		n, ok := v.(int64)
		if !ok {
			return nil, fmt.Errorf("a script answered %T, want a number", v)
		}
		out[i] = int(n)
	}
	return out, nil
}

// patient gives the context for a call that the driver shall not break off: it ends at ctx's deadline, and else when
// it is done. The driver does not watch a context while it waits for an answer; where it does, what has been
// sent would only be unknown. A channel that nobody waits for is not made either.
func patient(ctx context.Context) context.Context { return patientContext{ctx} }

type patientContext struct{ context.Context }

// Done gives nil: it is not watched.
func (patientContext) Done() <-chan struct{} { return nil }
