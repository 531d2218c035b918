package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// bootTime is how long the checks at the start may take.
	bootTime = 10 * time.Second
	// mostSkew is what two clocks may be apart before an operator hears of it.
	mostSkew = 2 * time.Second
)

// facts are what a server says of itself. What it refuses to say is missing.
type facts struct {
	server              string // its address
	version, mode, role string
	info                map[string]string // nil where INFO is refused
	fsync, save         string            // of its configuration
	configured          bool              // it told that
	skew                time.Duration     // by how much its clock is ahead of ours at least; negative where it is behind
	unblocks            bool              // it would end a blocking read
}

// finding is what an operator should know of the servers: what is so, and what to do about it.
type finding struct {
	code, text, remedy string
	args               []any
	info               bool // no reason to worry
}

// line is the finding as it is logged.
func (f *finding) line() string {
	if f.remedy == "" {
		return "stem: redis: " + f.text
	}
	return "stem: redis: " + f.text + ": " + f.remedy
}

// boot looks at the servers before anything is kept there. What would lose tasks or break them is an error, what
// an operator should know is logged, once.
func (c *core) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	findings, err := c.driver()
	if err != nil {
		return err
	}
	servers, err := c.survey(ctx)
	if err != nil {
		return c.advise(ctx, err)
	}
	for i := range servers {
		if err := servers[i].refuse(c.cluster != nil); err != nil {
			return err
		}
		findings = append(findings, servers[i].findings()...)
		c.stubborn = c.stubborn || !servers[i].unblocks
	}
	missing, err := c.missingRights(ctx)
	if err != nil {
		return fmt.Errorf("redis: look at the rights of user %s: %w", c.user(), err)
	}
	if len(missing) > 0 {
		return c.rightsError(missing)
	}
	if !c.hears(ctx) {
		findings = append(findings, deaf)
	}
	c.tell(ctx, findings)
	return nil
}

// tell logs findings. What is true of several servers is said of the first.
func (c *core) tell(ctx context.Context, findings []finding) {
	said := make(map[string]bool)
	for _, f := range findings {
		switch {
		case said[f.text]:
		case f.info:
			c.cfg.Logger.InfoContext(ctx, f.line(), f.args...)
		default:
			c.cfg.Logger.WarnContext(ctx, f.line(), f.args...)
		}
		said[f.text] = true
	}
}

// driver looks at the options of the client.
func (c *core) driver() (findings []finding, err error) {
	add := func(text, remedy string, args ...any) {
		findings = append(findings, finding{code: "client", text: text, remedy: remedy, args: args})
	}
	var retries int
	var bounded bool
	if c.cluster != nil {
		o := c.cluster.Options()
		if o.ReadOnly {
			return nil, errors.New("redis: the client reads from replicas, which are behind: leave ReadOnly, RouteByLatency and RouteRandomly out of its options")
		}
		retries, bounded = o.MaxRetries, o.ContextTimeoutEnabled || o.ReadTimeout > 0
	} else if client, ok := c.client.(*redis.Client); ok {
		o := client.Options()
		retries, bounded = o.MaxRetries, o.ContextTimeoutEnabled || o.ReadTimeout > 0
	}
	if retries > 0 {
		add("the client repeats commands whose answer was lost, and a task is enqueued twice", "set MaxRetries: -1 in its options", "MaxRetries", retries)
	}
	if !bounded {
		add("the client waits without end for a server that says nothing", "set ContextTimeoutEnabled: true in its options")
	}
	return findings, nil
}

// survey asks the server, or all masters of a cluster.
func (c *core) survey(ctx context.Context) ([]facts, error) {
	if c.cluster == nil {
		f, err := ask(ctx, c.client.(*redis.Client))
		return []facts{f}, err
	}
	var mu sync.Mutex
	var all []facts
	err := c.cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		f, err := ask(ctx, client)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, f)
		return err
	})
	switch {
	case err != nil && strings.Contains(err.Error(), "cluster support disabled"):
		return nil, errors.New("redis: the server is no cluster: use New, or Open, with its URL")
	case err == nil && len(all) == 0:
		return nil, errors.New("redis: the cluster has no masters")
	}
	return all, err
}

// ask has a server tell the facts. HELLO is allowed to every user.
func ask(ctx context.Context, client *redis.Client) (facts, error) {
	f := facts{server: client.Options().Addr}
	before := time.Now()
	pipe := client.Pipeline()
	clock, hello, info := pipe.Time(ctx), pipe.Do(ctx, "hello"), pipe.Info(ctx)
	fsync, save := pipe.ConfigGet(ctx, "appendfsync"), pipe.ConfigGet(ctx, "save")
	id, unblock := pipe.ClientID(ctx), pipe.ClientUnblock(ctx, 0)
	_, err := pipe.Exec(ctx)
	switch {
	case hello.Err() != nil:
		err = hello.Err()
	case hello.Val() != nil:
		err = nil // that of another one, which is looked at below
	}
	// Else nothing was sent: the driver does not tell the commands that it was refused while it connected.
	if err != nil {
		return f, fmt.Errorf("redis: server %s: %w", f.server, err)
	}
	said := pairs(hello.Val())
	f.version, f.mode, f.role = said["version"], said["mode"], said["role"]
	if clock.Err() == nil {
		f.skew = apart(clock.Val(), before, time.Now())
	}
	if info.Err() == nil {
		f.info = parseInfo(info.Val())
	}
	f.fsync, f.save = fsync.Val()["appendfsync"], save.Val()["save"]
	f.configured = fsync.Err() == nil && save.Err() == nil
	f.unblocks = id.Err() == nil && unblock.Err() == nil
	return f, nil
}

// apart tells by how much a clock is ahead of ours that was read between two instants, at least. It is negative where it is
// behind, and 0 where it may be right.
func apart(clock, before, after time.Time) time.Duration {
	switch {
	case clock.After(after):
		return clock.Sub(after)
	case clock.Before(before):
		return clock.Sub(before)
	default:
		return 0
	}
}

// pairs reads a map, or in RESP2 a list of names and values.
func pairs(v any) map[string]string {
	m := make(map[string]string)
	switch v := v.(type) {
	case map[any]any:
		for name, value := range v {
			m[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	case []any:
		for i := 0; i+1 < len(v); i += 2 {
			m[fmt.Sprint(v[i])] = fmt.Sprint(v[i+1])
		}
	}
	return m
}

func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// refuse tells why the store must not be kept on a server.
func (f *facts) refuse(cluster bool) error {
	major, _, _ := strings.Cut(f.version, ".")
	n, _ := strconv.Atoi(major)
	policy := f.info["maxmemory_policy"]
	limited := f.info["maxmemory"] != "" && f.info["maxmemory"] != "0"
	switch {
	case f.mode == "sentinel":
		return fmt.Errorf("redis: %s is a Sentinel: make a client with redis.NewFailoverClient, which asks it for the master, and pass it to New", f.server)
	case n < 7:
		return fmt.Errorf("redis: server %s is version %s, want 7.0 or newer", f.server, f.version)
	case f.mode == "cluster" && !cluster:
		return fmt.Errorf("redis: server %s is a node of a cluster: use NewCluster, or OpenCluster with its URL", f.server)
	case f.mode != "cluster" && cluster:
		return fmt.Errorf("redis: server %s is no cluster: use New, or Open with its URL", f.server)
	case f.role == "replica", f.role == "slave":
		return fmt.Errorf("redis: server %s is a replica, which takes no writes: connect to its master, or with redis.NewFailoverClient to its Sentinels", f.server)
	case limited && policy != "noeviction":
		return fmt.Errorf("redis: server %s would evict tasks without a word when its memory is full (maxmemory-policy %s): CONFIG SET maxmemory-policy noeviction, "+
			"and the same in its configuration file", f.server, policy)
	}
	return nil
}

// findings tells what an operator should know of a server.
func (f *facts) findings() []finding {
	fs := []finding{f.durability()}
	add := func(code, text, remedy string, args ...any) {
		fs = append(fs, finding{code: code, text: text, remedy: remedy, args: append(args, "server", f.server)})
	}
	if f.skew > mostSkew || f.skew < -mostSkew {
		add("clock", "the server's clock is not this machine's: delays and leases go by the server's, At and ExpiresAt by the one where they are called",
			"set both by NTP", "ahead", f.skew.Round(time.Millisecond))
	}
	if !f.unblocks {
		add("rights", "CLIENT ID or CLIENT UNBLOCK is refused: a read that waits cannot be ended, so that each lasts 250 ms at most: an idle worker asks four times a second",
			"let the user +client|id +client|unblock")
	}
	return fs
}

// durability tells what a server would lose.
func (f *facts) durability() finding {
	args := []any{"server", f.server, "version", f.version}
	say := func(class, text, remedy string, info bool) finding {
		return finding{"durability", text, remedy, append(args, "durability", class), info}
	}
	switch {
	case f.info == nil:
		return say("unknown", "INFO is refused: it is not known what the server loses when it is killed, and whether it evicts tasks when its memory is full (maxmemory-policy must be noeviction)", "let the user +info", false)
	case f.info["aof_enabled"] == "1" && f.fsync == "always":
		return say("power-loss safe", "the server keeps every write on disk", "", true)
	case f.info["aof_enabled"] == "1" && !f.configured:
		return say("process-crash safe", "the server keeps what it has acknowledged when it is killed; what it loses when the power fails it does not tell (CONFIG GET is refused)", "", true)
	case f.info["aof_enabled"] == "1":
		return say("process-crash safe", "the server keeps what it has acknowledged when it is killed, and may lose the last writes when the power fails (appendfsync "+f.fsync+")", "", true)
	case f.configured && f.save == "":
		return say("memory", "the server keeps nothing on disk: when it ends, all tasks and results are lost", "CONFIG SET appendonly yes, and the same in its configuration file", false)
	default:
		return say("memory", "the server keeps snapshots at best: when it is killed, all since the last one is lost", "CONFIG SET appendonly yes, and the same in its configuration file", false)
	}
}

// deaf is found where hears is false.
var deaf = finding{code: "rights", text: "SUBSCRIBE is refused: whoever waits for a result asks for it every 2 s", remedy: "let the user +subscribe"}

// hears reports whether outcomes can be heard of.
func (c *core) hears(ctx context.Context) bool {
	sub := c.client.Subscribe(ctx, c.channel())
	defer sub.Close()
	_, err := sub.ReceiveTimeout(ctx, bootTime/2)
	return !isReply(err)
}
