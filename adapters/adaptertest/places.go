package adaptertest

import (
	"context"
	"errors"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

var placePromises = []promise{
	{name: "places are granted up to the limit, in all sessions together", check: placesAreLimited, needs: limits},
	{name: "what a session holds is what it was granted last", check: placesAreDeclared, needs: limits},
	{name: "places that are given back are free at once", check: placesGivenBack, needs: limits},
	{name: "places are kept as long as they are told of, and lapse with the lease", check: placesLapse, needs: limits},
	{name: "a lower limit takes no place away and grants none", check: placesOfLowerLimit, needs: limits},
	{name: "places are of one task", check: placesOfOneTask, needs: limits},
	{name: "a call renews the places that it names and no others", check: placesNamed, needs: limits},
	{name: "sessions that ask at once are granted no more than the limit", check: placesAtOnce, needs: limits},
	{name: "places that nobody can hold are refused by name", check: placesRefused, needs: limits},
}

func (x *exam) taking(ts ...limit.Turn) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) { return x.limits().TakeTurns(ctx, ts...) }
}

func (x *exam) holding(s stem.Session, holds ...stem.Hold) func(context.Context) ([]stem.Held, error) {
	return func(ctx context.Context) ([]stem.Held, error) { return x.limits().HoldPlaces(ctx, s, holds...) }
}

func (x *exam) isOptionError(what string, err error) {
	x.Helper()
	if !errors.As(err, new(*stem.OptionError)) {
		x.Errorf("%s: got error %v, want an *OptionError", what, err)
	}
}

// hold says how many runs of tasks a session has.
func (x *exam) hold(s stem.Session, holds ...stem.Hold) []stem.Held {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	held, err := x.holding(s, holds...)(ctx)
	if err != nil {
		x.Fatalf("hold places: got error %v, want none", err)
	}
	if len(held) != len(holds) {
		x.Fatalf("hold places: got %d answers, want one for each of %d tasks", len(held), len(holds))
	}
	return held
}

// holds says how many runs of one task with a limit of five a session has.
func (x *exam) holds(s stem.Session, n int, want stem.Held) {
	x.Helper()
	same(x, "held", x.hold(s, stem.Hold{Task: "a", Limit: 5, N: n})[0], want)
}

// "A session is granted max(what it holds, limit − what others hold), and no more than it asks for."
func placesAreLimited(x *exam) {
	s, r := x.session(), x.session()
	x.holds(s, 3, stem.Held{N: 3, Free: 2})
	x.peer().holds(r, 4, stem.Held{N: 2, Free: 0})
	x.holds(x.session(), 1, stem.Held{N: 0, Free: 0})
	x.holds(x.session(), 0, stem.Held{N: 0, Free: 0})
	x.holds(s, 9, stem.Held{N: 3, Free: 0})
}

// "It tells the whole of a task and no difference": told again, nothing is added.
func placesAreDeclared(x *exam) {
	s := x.session()
	for range 3 {
		x.holds(s, 2, stem.Held{N: 2, Free: 3})
	}
	x.holds(s, 4, stem.Held{N: 4, Free: 1})
	x.holds(s, 1, stem.Held{N: 1, Free: 4})
	x.holds(x.session(), 5, stem.Held{N: 4, Free: 0})
}

// "0 gives back what the session holds."
func placesGivenBack(x *exam) {
	s, r := x.session(), x.session()
	x.holds(s, 5, stem.Held{N: 5})
	x.holds(r, 2, stem.Held{})
	x.holds(s, 4, stem.Held{N: 4, Free: 1})
	x.holds(r, 2, stem.Held{N: 1})
	x.holds(s, 0, stem.Held{Free: 4})
	x.holds(r, 2, stem.Held{N: 2, Free: 3})
}

// "What a session was granted lapses s.Lease after the call … that named the task last."
func placesLapse(x *exam) {
	s, r := x.session(), x.session()
	x.holds(s, 5, stem.Held{N: 5})
	for range 3 {
		x.Advance(lease - 2*patience)
		x.holds(s, 5, stem.Held{N: 5})
		x.holds(r, 1, stem.Held{})
	}
	x.lapse()
	x.holds(r, 1, stem.Held{N: 1, Free: 4})
	x.holds(s, 5, stem.Held{N: 4}) // it comes back, and holds nothing any more
}

// "What it holds already is not taken from it, though the limit may be lower by now."
func placesOfLowerLimit(x *exam) {
	s, r := x.session(), x.session()
	x.holds(s, 4, stem.Held{N: 4, Free: 1})
	lower := func(s stem.Session, n int) stem.Held {
		return x.hold(s, stem.Hold{Task: "a", Limit: 2, N: n})[0]
	}
	same(x, "held by who had more", lower(s, 5), stem.Held{N: 4})
	same(x, "held by another", lower(r, 1), stem.Held{})
	same(x, "held by who gives one back", lower(s, 3), stem.Held{N: 3})
	same(x, "held by who wants it back", lower(s, 4), stem.Held{N: 3})
	same(x, "held by who gives enough back", lower(s, 1), stem.Held{N: 1, Free: 1})
	same(x, "held by another then", lower(r, 2), stem.Held{N: 1})
}

// Tasks are named as in envelopes, and each has its own places.
func placesOfOneTask(x *exam) {
	s := x.session()
	for _, name := range names {
		same(x, "held of "+name, x.hold(s, stem.Hold{Task: name, Limit: 1, N: 2})[0], stem.Held{N: 1})
	}
	same(x, "held", x.hold(x.session(), stem.Hold{Task: "b", Limit: 2, N: 1}, stem.Hold{Task: names[0], Limit: 1, N: 1}, stem.Hold{Task: "c", Limit: 7, N: 3}),
		[]stem.Held{{N: 1, Free: 1}, {}, {N: 3, Free: 4}})
	same(x, "held of no task", len(x.hold(s)), 0)
}

// "Tasks that are not named keep what they hold, and are not renewed."
func placesNamed(x *exam) {
	s, r := x.session(), x.session()
	x.hold(s, stem.Hold{Task: "a", Limit: 1, N: 1}, stem.Hold{Task: "b", Limit: 1, N: 1})
	x.Advance(lease - 2*patience)
	x.hold(s, stem.Hold{Task: "a", Limit: 1, N: 1})
	same(x, "held by another", x.hold(r, stem.Hold{Task: "b", Limit: 1, N: 1})[0], stem.Held{})
	x.Advance(2*patience + tick)
	same(x, "held by another later", x.hold(r, stem.Hold{Task: "a", Limit: 1, N: 1}, stem.Hold{Task: "b", Limit: 1, N: 1}), []stem.Held{{}, {N: 1}})
}

// "Each task is one atomic step."
func placesAtOnce(x *exam) {
	for range 5 {
		var calls []*call[[]stem.Held]
		var sessions []stem.Session
		for i := range 12 {
			y := x
			if i%2 == 1 {
				y = x.peer()
			}
			s := x.session()
			sessions = append(sessions, s)
			calls = append(calls, start(x, y.holding(s, stem.Hold{Task: "a", Limit: 5, N: 1 + i%3})))
		}
		granted := 0
		for _, c := range calls {
			granted += c.answer()[0].N
		}
		same(x, "places granted", granted, 5)
		for _, s := range sessions {
			x.hold(s, stem.Hold{Task: "a", Limit: 5})
		}
	}
}

// What no worker ever asks for is an *OptionError.
func placesRefused(x *exam) {
	for _, bad := range []stem.Hold{{Task: "a", N: 1}, {Task: "a", Limit: 1, N: -1}, {Task: "", Limit: 1, N: 1}} {
		_, err := x.holding(x.session(), stem.Hold{Task: "b", Limit: 1, N: 1}, bad)(x.Context())
		x.isOptionError("hold of "+bad.Task, err)
	}
	_, err := x.holding(stem.Session{ID: "s"}, stem.Hold{Task: "a", Limit: 1, N: 1})(x.Context())
	x.isOptionError("a session without lease", err)
	same(x, "held", x.hold(x.session(), stem.Hold{Task: "b", Limit: 1, N: 1})[0], stem.Held{N: 1})
}
