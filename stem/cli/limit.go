package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// limitView is what is shown of a limit of a task.
type limitView struct {
	Task            string  `json:"task"`
	Key             string  `json:"key,omitempty"`
	Rate            string  `json:"rate,omitempty"`
	NextTurnSeconds float64 `json:"next_turn_seconds"`
	PenaltySeconds  float64 `json:"penalty_seconds,omitempty"`
	Concurrency     int     `json:"concurrency,omitempty"`
	Held            int     `json:"held"`
	Waiting         int     `json:"waiting"`

	turn, penalty time.Duration
}

// viewLimits gives the limits of the tasks in a queue; none where the store cannot tell.
func viewLimits(ctx context.Context, s *ops.Service, queue string) (views []limitView, err error) {
	limits, err := s.Limits(ctx, queue)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	for _, l := range limits {
		v := limitView{
			Task: l.Task, Key: l.Limit.Key, Concurrency: l.Limit.Concurrency, Held: l.Held, Waiting: l.Waiting,
			NextTurnSeconds: l.NextTurn.Seconds(), PenaltySeconds: l.Penalty.Seconds(), turn: l.NextTurn, penalty: l.Penalty,
		}
		if r := l.Limit.Rate; r != (stem.Rate{}) {
			v.Rate = fmt.Sprintf("%d in %v", r.Count, r.Per)
		}
		views = append(views, v)
	}
	return views, nil
}

// limitSection gives them as people read them.
func limitSection(views []limitView) section {
	s := section{title: "Limits"}
	for _, v := range views {
		var used []string
		switch {
		case v.Rate == "":
		case v.turn > 0:
			used = append(used, v.Rate+", next turn in "+age(v.turn))
		default:
			used = append(used, v.Rate+", next turn now")
		}
		if v.penalty > 0 {
			used = append(used, "nobody has one for "+age(v.penalty))
		}
		if v.Concurrency > 0 {
			used = append(used, fmt.Sprintf("%d of %d places held", v.Held, v.Concurrency))
		}
		s.rows = append(s.rows, []string{strings.TrimSpace(v.Task + " " + escape(v.Key)), number(v.Waiting) + " waiting", strings.Join(used, "; ")})
	}
	return s
}
