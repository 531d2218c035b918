package adaptertest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem"
)

// The clock of a program moves by steps, and all that it sets a time for ends between
// two of them: so a real store's clock may run on by nearly drift, and it is still
// certain what is over.
const (
	step  = 20 * time.Second
	drift = step / 2
	// ageStep is the AgeAfter of programs: no wait is close below a multiple of it.
	ageStep = 33300 * time.Millisecond
)

// bell is a queue from which a receive takes something where it would find nothing else: no
// program waits. It is never paused, and everybody knows its task.
const bell = "bell"

// What programs are made of; what comes first is what a failing program is made of
// once it has been shortened.
var (
	pickCount      = rapid.IntRange(1, 4)
	pickSession    = rapid.IntRange(0, 2)
	pickYes        = rapid.Bool()
	pickRarely     = rapid.SampledFrom([]bool{false, false, false, false, false, false, true})
	pickKey        = rapid.SampledFrom([]string{"a key", "a key", "another"})
	pickUntil      = rapid.SampledFrom([]stem.UniqueUntil{stem.UntilDone, stem.UntilTime, stem.UntilStarted, stem.UntilTime})
	pickLongTime   = rapid.SampledFrom([]time.Duration{step + drift, 4*step + drift, 100*step + drift})
	pickConflict   = rapid.SampledFrom([]stem.Conflict{stem.ConflictExisting, stem.ConflictReplace, stem.ConflictReplace})
	pickSteps      = rapid.IntRange(1, 4)
	pickLinks      = rapid.IntRange(1, 2)
	pickQueue      = rapid.SampledFrom([]string{queue, "other"})
	pickQueues     = rapid.SampledFrom([][]string{{queue, bell}, {"other", bell}, {queue, "other", bell}, {"other", queue, bell}})
	pickTask       = rapid.SampledFrom([]string{"exam.task", "one", "two"})
	pickSchema     = rapid.SampledFrom([]uint64{0, current, older, newer})
	pickPriority   = rapid.SampledFrom([]int{0, 0, 4, 9})
	pickSize       = rapid.SampledFrom([]int{10, 10, 50})
	pickMaxBytes   = rapid.SampledFrom([]int{0, 0, 0, 20, 60})
	pickAge        = rapid.SampledFrom([]time.Duration{0, 0, ageStep})
	pickAtMost     = rapid.SampledFrom([]map[string]int{nil, nil, nil, {"exam.task": 0}, {"exam.task": 1, "one": 2}, {"one": 0, "two": 1}})
	pickVerdict    = rapid.SampledFrom(verdicts)
	pickState      = rapid.SampledFrom([]stem.State{stem.StateSucceeded, stem.StateRunning, stem.StateRetrying, stem.StateFailed, stem.StateCancelled})
	pickNumber     = rapid.Int64Range(1, 4)
	pickTime       = rapid.SampledFrom([]time.Duration{drift, step + drift, 2*step + drift, 3*step + drift, 4*step + drift})
	pickTimeOrNone = rapid.SampledFrom([]time.Duration{0, 0, 0, 0, drift, step + drift, 2*step + drift, 3*step + drift})
	pickTasks      = rapid.SampledFrom([]*stem.TaskSet{
		nil,
		stem.NewTaskSet(reads("exam.task"), reads(bell)),
		stem.NewTaskSet(reads("exam.task", older, current), reads("two", newer), reads(bell)),
		stem.NewTaskSet(reads("one"), reads("two", current), reads(bell)),
	})
)

// leases are those of the sessions.
var leases = []time.Duration{step + drift, step + drift, 2*step + drift}

// program is one random history of one caller. A command draws what to do, does it to
// the store, and lets the reference look at the answer.
type program struct {
	*exam
	model   *reference
	history history
	ids     int // how many were given to envelopes
	serial  int // of what must differ: records and reasons
}

func newProgram(x *exam, breach func(rule string, got, want any)) *program {
	return &program{exam: x, model: newReference(breach)}
}

// can reports whether the store has a capability.
func (p *program) can(do capability) bool { return do.in(p.Stores) }

// commands gives those that the store can be given. What matters most comes twice.
func (p *program) commands() map[string]func(*rapid.T) {
	do := map[string]func(*rapid.T){"advance": p.advance}
	add := func(can bool, name string, command func(*rapid.T)) {
		if can {
			do[name] = command
		}
	}
	broker, backend := p.Broker != nil, p.Backend != nil
	add(broker, "publish", p.publishSome)
	add(broker, "receive", p.receiveSome)
	add(broker, "receive again", p.receiveSome)
	add(broker, "settle", p.settleSome)
	add(broker, "settle again", p.settleSome)
	add(broker, "follow", p.followOne)
	add(broker, "extend", p.extendOne)
	add(p.can(pauses), "pause", p.pauseOne)
	add(p.can(keepsUnique), "start", p.startSome)
	add(p.can(revokes), "revoke", p.revokeOne)
	add(p.can(counts), "count", p.countOne)
	add(p.can(listsDeadLetters), "list", p.listDead)
	add(backend, "save", p.saveSome)
	add(backend, "load", p.loadSome)
	return do
}

// settleUp ends a program: everything is resumed, due and free, is received by one session
// and acknowledged; and then nothing is left.
func (p *program) settleUp() {
	p.loadAll()
	if p.Broker == nil {
		return
	}
	for _, q := range []string{queue, "other"} {
		if p.model.paused[q] {
			p.pauses(q, false)
		}
	}
	p.wait(int(p.model.longest()/step) + 1)
	req := stem.ReceiveRequest{Session: stem.Session{ID: "last", Lease: time.Hour}, Queues: []string{queue, "other", bell}, Max: 100}
	for len(p.model.lives) > 0 {
		p.acknowledge(p.receives(req))
	}
	p.acknowledge(p.receives(req)) // the bell alone
	p.account()
}

// loadAll loads the record of every id there was.
func (p *program) loadAll() {
	if p.Backend == nil {
		return
	}
	names := []string{"foreign"}
	for i := range p.ids {
		names = append(names, fmt.Sprintf("t%d", i+1))
	}
	p.loads(names)
}

// acknowledge ends deliveries that were just lent.
func (p *program) acknowledge(ds []stem.Delivery) {
	p.settles(p.model.loans[len(p.model.loans)-len(ds):], ack(ds...), false)
}

// account expects of all that was stored that it is done or dead.
func (p *program) account() {
	dead := 0
	for _, q := range []string{queue, "other", bell} {
		dead += len(p.model.dead[q])
		if p.can(counts) {
			p.counts(q)
		}
		if p.can(listsDeadLetters) {
			p.lists(q, 1000)
		}
	}
	m := p.model
	m.holds(m.stored == m.acked+dead, "what was stored is acknowledged or dead", m.acked+dead, m.stored)
}
