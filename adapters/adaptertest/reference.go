package adaptertest

import (
	"reflect"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

// reference is the contract of broker and backend as a program: what is known of each
// envelope, and what a store may answer next. It looks at everything each time, and knows
// the answers where the contract leaves no choice. Where it leaves one, it accepts
// each and goes by what the store has chosen:
//
//   - A receive lends fewer than it might, but at least one.
//   - Envelopes that were delayed, retried, snoozed or taken over come before or after their
//     equals: those of the same queue and priority.
//   - What a bound of a receive has set aside keeps its order among those of its task and schema.
//   - A receive of a live session renews its lease, or does not. One of a lapsed session opens
//     it for all queues, or for some: at least for those from which it lends.
//   - What a lapsed session holds counts as ready or as running, until somebody takes it over.
//   - Due envelopes that some receiver did not know count as ready or as unknown.
//   - A settlement that is repeated is answered with nil or ErrLeaseLost.
//   - A notice names what the session has settled itself, or does not.
//   - The store remembers that there was a record that has expired, or does not.
//   - Delivery numbers rise as they like; of several reasons of a revocation any is told.
type reference struct {
	now      time.Duration // by the store's clock, since the program began
	lives    []*life
	loans    []*loan // all there ever were
	numbers  map[string]int64
	sessions map[string]*tenure
	paused   map[string]bool
	keys     map[scoped]kept // the id that stands
	unique   map[scoped]*hold
	revoked  map[revokedID]kept
	dead     map[string][]grave
	records  map[string]record
	gone     []stem.Envelope // those acknowledged, to be published again
	// stored and acked count what was published and is no duplicate, and what was done.
	stored, acked int
	// breach ends the program: the store has done what no store may do.
	breach func(rule string, got, want any)
}

// life is an envelope that is neither done nor dead.
type life struct {
	env                         stem.Envelope
	published, due              time.Duration
	place                       int   // in line
	overtakes                   bool  // it has no place among its equals
	held                        *loan // nil while it waits
	failures, snoozes, releases int
	cut                         []int64 // the deliveries that count as interrupted
	marks                       map[string]string
}

// loan is one delivery of an envelope.
type loan struct {
	stem.Delivery
	of   *life
	end  stem.Verdict // how it was settled, if it was
	lost bool
}

// tenure is a session. On each queue it lasts for its lease at least from when it was opened
// there, and at most from when it was heard of.
type tenure struct {
	lease, renewed, heard time.Duration
	opened                map[string]time.Duration // by queue, where that is after renewed
	leaving               bool
}

type scoped struct{ queue, name string }

type revokedID struct {
	scoped
	family bool
}

// kept is a text that stands until its time is over.
type kept struct {
	text  string
	until time.Duration
}

type grave struct {
	stem.DeadLetter
	env stem.Envelope
	at  time.Duration
}

type record struct {
	stem.Result
	until time.Duration
}

func newReference(breach func(rule string, got, want any)) *reference {
	return &reference{
		numbers: map[string]int64{}, sessions: map[string]*tenure{}, paused: map[string]bool{}, keys: map[scoped]kept{}, unique: map[scoped]*hold{},
		revoked: map[revokedID]kept{}, dead: map[string][]grave{}, records: map[string]record{}, breach: breach,
	}
}

func (m *reference) holds(ok bool, rule string, got, want any) {
	if !ok {
		m.breach(rule, got, want)
	}
}

// about expects a duration that a store has measured: its clock runs on by itself.
func (m *reference) about(rule string, got, want time.Duration) {
	m.holds(got >= want-tick && got <= want+drift, rule, got, want)
}

// renews begins a session's lease, on all queues.
func (m *reference) renews(want stem.Session) *tenure {
	s := &tenure{lease: want.Lease, renewed: m.now, heard: m.now, opened: map[string]time.Duration{}, leaving: want.Leaving}
	m.sessions[want.ID] = s
	return s
}

// publishes takes note of the answer for one envelope.
func (m *reference) publishes(e stem.Envelope, got stem.Published) {
	want := stem.Published{ID: e.ID}
	key := scoped{e.Queue, e.DedupeKey}
	deduped := e.DedupeKey != "" && e.DedupeWindow > 0
	if first := m.keys[key]; deduped && m.now < first.until {
		want = stem.Published{ID: first.text, Duplicate: true}
	}
	var replaced *life
	if e.Unique != nil && !want.Duplicate {
		want, replaced = m.keeps(&e)
	}
	m.holds(got == want, "what is published is stored unless it is a duplicate", got, want)
	if want.Duplicate {
		return
	}
	if deduped {
		m.keys[key] = kept{e.ID, m.now + e.DedupeWindow}
	}
	m.stored++
	l := &life{env: e, published: m.now, due: m.now + e.Delay, place: m.stored, overtakes: e.Delay > 0}
	m.lives = append(m.lives, l)
	if e.Unique != nil {
		m.takes(l, replaced)
	}
}

// equal is same, and quick about what is the same to the bit.
func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) || cmp.Equal(a, b, alike) }
