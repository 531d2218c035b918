package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gostem/gostem/stem/ops"
)

var _ ops.Examiner = (*core)(nil)

// Examine looks at the server, or all masters of the cluster, as the checks at the start do, and at how full they are.
func (c *core) Examine(ctx context.Context) ([]ops.Finding, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	servers, err := c.survey(ctx)
	if err != nil {
		return nil, c.failed("examine", err)
	}
	found, err := c.driver()
	all := asErrors("client", err)
	for i := range servers {
		all = append(all, asErrors("server", servers[i].refuse(c.cluster != nil))...)
		found = append(found, servers[i].findings()...)
		found = append(found, servers[i].fullness()...)
	}
	if len(all) == 0 { // a server that is refused may refuse to tell of rights, such as a replica
		missing, err := c.missingRights(ctx)
		switch {
		case err != nil:
			return nil, c.failed("examine: rights of user "+c.user(), err)
		case len(missing) > 0:
			all = append(all, asErrors("rights", c.rightsError(missing))...)
		}
	}
	if !c.hears(ctx) {
		found = append(found, deaf)
	}
	for i := range found {
		all = append(all, found[i].shown())
	}
	return all, nil
}

// asErrors makes findings of what a store is refused for at the start; none of nil. Such an error has its remedy in it.
func asErrors(code string, err error) []ops.Finding {
	if err == nil {
		return nil
	}
	return []ops.Finding{{Level: ops.LevelError, Code: code, What: err.Error()}}
}

// shown is the finding as operators see it.
func (f *finding) shown() ops.Finding {
	o := ops.Finding{Level: ops.LevelWarning, Code: f.code, What: "redis: " + f.text, Remedy: f.remedy}
	if f.info {
		o.Level = ops.LevelInfo
	}
	for i := 0; i+1 < len(f.args); i += 2 {
		o.What += fmt.Sprintf("; %v: %v", f.args[i], f.args[i+1])
	}
	return o
}

// fullness tells of a server that has little memory left of what it may take.
func (f *facts) fullness() []finding {
	used, _ := strconv.ParseFloat(f.info["used_memory"], 64)
	most, _ := strconv.ParseFloat(f.info["maxmemory"], 64)
	if most == 0 || used < 0.8*most {
		return nil
	}
	return []finding{{
		code: "memory", text: fmt.Sprintf("the server has taken %.0f %% of the memory that it may (maxmemory): when it is full no task can be enqueued", 100*used/most),
		remedy: "raise maxmemory, keep results for less long, or purge dead letters", args: []any{"server", f.server},
	}}
}
