package adaptertest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var (
	revokes         = brokerHas[stem.Revoker]("stem.Revoker")
	keepsRevocation = capability{"stem.RevocationStore", func(s Stores) bool { return revocationStore(s) != nil }}
)

var revokePromises = []promise{
	{name: "a revoked envelope is lent as revoked, with the reason", check: revokedIsLent, needs: revokes},
	{name: "a revocation does nothing to the envelope but that", check: revokedIsNotMoved, needs: revokes},
	{name: "an envelope is revoked before it is published, and published again", check: revokedBeforehand, needs: revokes},
	{name: "a delayed envelope is lent as revoked when it is due", check: revokedDelayed, needs: revokes},
	{name: "a revoked envelope stays so through settlements and takeovers", check: revokedStays, needs: revokes},
	{name: "an extend names the held deliveries that were revoked", check: extendNamesRevoked, needs: revokes},
	{name: "a lost delivery is lost, revoked or not", check: lostBeforeRevoked, needs: revokes},
	{name: "a revoked delivery is settled as any other", check: revokedIsSettled, needs: revokes},
	{name: "a revocation counts for every connection", check: revokedElsewhere, needs: revokes},
	{name: "a revocation is about one queue", check: revokedByQueue, needs: revokes},
	{name: "a revocation of one task leaves its children", check: revokedAlone, needs: revokes},
	{name: "a revocation of a family reaches all its generations", check: revokedFamily, needs: revokes},
	{name: "a revocation of a family leaves those above and beside it", check: revokedFamilyOnly, needs: revokes},
	{name: "a revocation ends after its time", check: revocationEnds, needs: revokes},
	{name: "of two revocations of a task the later end stands", check: revocationLater, needs: revokes},
	{name: "revocations of a task and of its family stand beside each other", check: revocationBoth, needs: revokes},
	{name: "a revocation without a time is refused, and no other with it", check: revocationOfNoTime, needs: revokes},
	{name: "after close revoke answers ErrClosed", check: revokeIsClosed, needs: revokes},
	{name: "revoked names the revoked among deliveries of any broker", check: storeNamesRevoked, needs: keepsRevocation},
	{name: "revoked goes by queue and family", check: storeKnowsFamilies, needs: keepsRevocation},
	{name: "revoked forgets what is over", check: storeForgets, needs: keepsRevocation},
	{name: "after close revoked answers ErrClosed", check: storeIsClosed, needs: keepsRevocation},
}

// revocationStore gives the store of revocations that is among the stores, or nil.
func revocationStore(s Stores) stem.RevocationStore {
	if store, ok := stem.As[stem.RevocationStore](s.Broker); ok {
		return store
	}
	store, _ := stem.As[stem.RevocationStore](s.Backend)
	return store
}

// revocation revokes one task of the one queue for an hour.
func revocation(id string) stem.Revocation {
	return stem.Revocation{Queue: queue, ID: id, For: time.Hour}
}

// familyOf revokes a task of the one queue and its descendants for an hour.
func familyOf(id string) stem.Revocation {
	r := revocation(id)
	r.Family = true
	return r
}

// revoke revokes and expects that to be accepted.
func (x *exam) revoke(rs ...stem.Revocation) {
	x.Helper()
	if err := x.tryRevoke(rs...); err != nil {
		x.Fatalf("revoke: got error %v, want none", err)
	}
}

func (x *exam) tryRevoke(rs ...stem.Revocation) error {
	ctx, cancel := x.bounded()
	defer cancel()
	if revoker, ok := stem.As[stem.Revoker](x.Broker); ok {
		return revoker.Revoke(ctx, rs...)
	}
	return revocationStore(x.Stores).Revoke(ctx, rs...)
}

// askRevoked asks a store of revocations about deliveries.
func (x *exam) askRevoked(ds ...stem.Delivery) []stem.Notice {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	ns, err := revocationStore(x.Stores).Revoked(ctx, ds...)
	if err != nil {
		x.Fatalf("revoked: got error %v, want none", err)
	}
	return ns
}

// revokedAmong gives the ids of those deliveries that were lent as revoked, in the
// order of their names.
func revokedAmong(ds []stem.Delivery) []string {
	var revoked []string
	for _, d := range ds {
		if d.Revoked {
			revoked = append(revoked, d.ID)
		}
	}
	slices.Sort(revoked)
	return revoked
}

// reasons gives what notices say, by index.
func reasons(ns []stem.Notice) map[int]string {
	texts := make(map[int]string, len(ns))
	for _, n := range ns {
		texts[n.Index] = n.Reason
	}
	return texts
}

// descendant makes an envelope's lineage: the first of its family, then the generations down
// to its parent.
func descendant(of ...string) func(*stem.Envelope) {
	return func(e *stem.Envelope) {
		e.Root, e.Parent = of[0], of[len(of)-1]
		for i := len(of) - 2; i > 0; i-- {
			e.Ancestors = append(e.Ancestors, of[i])
		}
	}
}

// family is five generations, a cousin and a stranger.
func family(options ...func(*stem.Envelope)) []stem.Envelope {
	member := func(id string, of ...string) stem.Envelope {
		return task(id, append(options, descendant(of...))...)
	}
	return []stem.Envelope{
		task("a", options...),
		member("b", "a"),
		member("c", "a", "b"),
		member("cousin", "a", "aunt"),
		member("d", "a", "b", "c"),
		member("e", "a", "b", "c", "d"),
		member("stranger", "elsewhere"),
	}
}

// "What it lends of revoked envelopes has Revoked set."
func revokedIsLent(x *exam) {
	x.publish(tasks("a", 3)...)
	r := revocation("a-001")
	r.Reason = rough
	x.revoke(r)
	ds := x.take(x.session(), 3)
	same(x, "revoked", revokedAmong(ds), []string{"a-001"})
	same(x, "reasons", [3]string{ds[0].Reason, ds[1].Reason, ds[2].Reason}, [3]string{1: rough})
}

// "It does nothing else to them": not its place, its counts nor its bytes.
func revokedIsNotMoved(x *exam) {
	want := fullEnvelope()
	x.publish(task("first", priority(7)), want, task("last", priority(7)))
	x.revoke(revocation(want.ID))
	ds := x.take(x.session(), 3)
	same(x, "received", ids(ds), []string{"first", want.ID, "last"})
	same(x, "revoked", revokedAmong(ds), []string{want.ID})
	x.sameEnvelope(ds[1].Envelope, want)
	same(x, "attempt, interruptions, releases", [3]int{ds[1].Attempt, ds[1].Interruptions, ds[1].Releases}, [3]int{1, 0, 0})
}

// "… whether that is there already, comes later or is published again."
func revokedBeforehand(x *exam) {
	x.revoke(revocation("a"))
	s := x.session()
	for range 2 {
		x.publish(task("a"))
		d := x.takeOne(s)
		same(x, "revoked", d.Revoked, true)
		x.settle(ack(d)...)
	}
}

// "An envelope waits for its turn as ever."
func revokedDelayed(x *exam) {
	x.publish(task("a", delay(10*time.Minute)))
	x.revoke(revocation("a"))
	x.nothing()
	x.Advance(10*time.Minute + tick)
	same(x, "revoked", x.takeOne(x.session()).Revoked, true)
}

// A revocation holds for its time, whatever becomes of the envelope meanwhile.
func revokedStays(x *exam) {
	x.publish(task("a"))
	x.revoke(revocation("a"))
	s := x.session()
	for _, v := range []stem.Verdict{stem.VerdictRelease, stem.VerdictRetry, stem.VerdictSnooze} {
		d := x.takeOne(s)
		same(x, "revoked", d.Revoked, true)
		x.settle(end(d, v))
	}
	same(x, "revoked", x.takeOne(s).Revoked, true)
	x.lapse()
	same(x, "revoked after a takeover", x.takeOne(x.session()).Revoked, true)
}

// "Extend names the held deliveries that have been revoked", and goes on to do so.
func extendNamesRevoked(x *exam) {
	x.publish(tasks("a", 3)...)
	s := x.session()
	ds := x.take(s, 3)
	same(x, "notices before", x.extend(s, ds...), nil)
	r := revocation("a-001")
	r.Reason = rough
	x.revoke(r)
	for range 2 {
		ns := x.extend(s, ds...)
		same(x, "notices", indexed(ns), map[int]error{1: stem.ErrRevoked})
		same(x, "reasons", reasons(ns), map[int]string{1: rough})
	}
}

// Somebody else has it, and hears of the revocation himself.
func lostBeforeRevoked(x *exam) {
	x.publish(task("a"))
	s := x.session()
	d := x.takeOne(s)
	x.lapse()
	x.takeOne(x.session())
	x.revoke(revocation("a"))
	same(x, "notices", indexed(x.extend(s, d)), map[int]error{0: stem.ErrLeaseLost})
}

// "The worker that receives it judges": what it says of the delivery counts.
func revokedIsSettled(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	ds := x.take(s, 2)
	x.revoke(revocation("a-000"), revocation("a-001"))
	x.extend(s, ds...)
	x.settle(end(ds[0], stem.VerdictAck), end(ds[1], stem.VerdictRetry))
	d := x.takeOne(s)
	same(x, "id, attempt", []any{d.ID, d.Attempt}, []any{"a-001", 2})
	x.nothing()
}

// Who revokes is seldom the one who runs.
func revokedElsewhere(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	held := x.takeOne(s)
	x.peer().revoke(revocation("a-000"), revocation("a-001"))
	same(x, "notices", indexed(x.extend(s, held)), map[int]error{0: stem.ErrRevoked})
	same(x, "revoked", x.takeOne(s).Revoked, true)
}

// "A task of the same id on another queue is not meant."
func revokedByQueue(x *exam) {
	x.publish(task("a"), task("a", onQueue("other")), task("child", descendant("a"), onQueue("other")))
	x.revoke(revocation("a"), familyOf("a"))
	req := stem.ReceiveRequest{Session: x.session(), Queues: []string{"other"}, Max: 2}
	ds := x.collect(req, 2)
	same(x, "revoked on the other queue", revokedAmong(ds), nil)
	same(x, "notices", x.extend(req.Session, ds...), nil)
	same(x, "revoked", x.takeOne(x.session()).Revoked, true)
}

// Only "Family tells that all descendants are meant too".
func revokedAlone(x *exam) {
	x.publish(family()...)
	x.revoke(revocation("b"))
	same(x, "revoked", revokedAmong(x.take(x.session(), 7)), []string{"b"})
}

// "… those that are there and those to come: every envelope in whose Lineage the id stands."
func revokedFamily(x *exam) {
	for id, want := range map[string][]string{
		"a": {"a", "b", "c", "cousin", "d", "e"},
		"b": {"b", "c", "d", "e"},
		"c": {"c", "d", "e"},
	} {
		req := stem.ReceiveRequest{Session: x.session(), Queues: []string{id}, Max: 10}
		envs := family(onQueue(id))
		x.publish(envs[:4]...)
		held := x.collect(req, 4)
		x.revoke(stem.Revocation{Queue: id, ID: id, Family: true, For: time.Hour})
		x.publish(envs[4:]...)
		got := revokedAmong(x.collect(req, len(envs)-4))
		for i, cause := range indexed(x.extend(req.Session, held...)) {
			same(x, "cause", cause, stem.ErrRevoked)
			got = append(got, held[i].ID)
		}
		slices.Sort(got)
		same(x, "revoked with "+id, got, want)
	}
}

// A family goes down only.
func revokedFamilyOnly(x *exam) {
	x.publish(family()...)
	x.revoke(familyOf("c"), familyOf("unheard of"))
	s := x.session()
	ds := x.take(s, 7)
	same(x, "revoked", revokedAmong(ds), []string{"c", "d", "e"})
	x.settle(ack(ds...)...)
	x.publish(task("f", descendant("a", "b")))
	same(x, "revoked", x.takeOne(s).Revoked, false)
}

// "For is how long the store keeps the revocation, from now and by its own clock."
func revocationEnds(x *exam) {
	x.revoke(revocation("a"), familyOf("b"))
	envs := []stem.Envelope{task("a"), task("b"), task("c", descendant("b"))}
	s := x.session()
	x.Advance(time.Hour - lease)
	x.publish(envs...)
	ds := x.take(s, 3)
	same(x, "revoked within the hour", revokedAmong(ds), []string{"a", "b", "c"})
	x.settle(end(ds[0], stem.VerdictRelease), end(ds[1], stem.VerdictRelease), end(ds[2], stem.VerdictRelease))
	x.lapse()
	ds = x.take(s, 3)
	same(x, "revoked after the hour", revokedAmong(ds), nil)
	same(x, "notices after the hour", x.extend(s, ds...), nil)
}

// "It may be repeated: the later end stands, and the newer reason."
func revocationLater(x *exam) {
	long, short := revocation("a"), revocation("a")
	long.For, long.Reason = 3*time.Hour, "long"
	short.Reason = "short"
	other := long
	other.ID = "b"
	x.revoke(long)
	x.revoke(short, revocation("b"))
	x.revoke(other, revocation("c"), revocation("c"))
	x.Advance(2 * time.Hour)
	x.publish(task("a"), task("b"), task("c"))
	ds := x.take(x.session(), 3)
	same(x, "revoked", revokedAmong(ds), []string{"a", "b"})
	same(x, "reasons", [2]string{ds[0].Reason, ds[1].Reason}, [2]string{"short", "long"})
}

// "One with Family and one without stand beside each other."
func revocationBoth(x *exam) {
	alone, whole := revocation("a"), familyOf("b")
	alone.For, whole.For = 3*time.Hour, 3*time.Hour
	x.revoke(alone, familyOf("a"), revocation("b"), whole)
	children := []stem.Envelope{task("child-of-a", descendant("a")), task("child-of-b", descendant("b"))}
	s := x.session()
	x.publish(children...)
	ds := x.take(s, 2)
	same(x, "revoked within the hour", revokedAmong(ds), []string{"child-of-a", "child-of-b"})
	x.settle(ack(ds...)...)
	x.Advance(2 * time.Hour)
	x.publish(task("a"), task("b"))
	x.publish(children...)
	same(x, "revoked after the hour", revokedAmong(x.take(s, 4)), []string{"a", "b", "child-of-b"})
}

// "For … More than 0."
func revocationOfNoTime(x *exam) {
	err := x.tryRevoke(revocation("a"), stem.Revocation{Queue: queue, ID: "b"}, revocation("c"))
	var option *stem.OptionError
	if items := x.asPartial(err).Items; len(items) != 1 || items[0].Index != 1 || !errors.As(items[0].Err, &option) {
		x.Errorf("got errors %v, want an *OptionError of item 1", items)
	}
	x.publish(task("a"), task("b"), task("c"))
	same(x, "revoked", revokedAmong(x.take(x.session(), 3)), []string{"a", "c"})
}

// "After Close of the adapter every method answers ErrClosed."
func revokeIsClosed(x *exam) {
	x.close()
	x.closed("revoke", x.tryRevoke(revocation("a")))
}

// foreign gives deliveries of a broker that the store has never heard of.
func foreign(envs ...stem.Envelope) []stem.Delivery {
	ds := make([]stem.Delivery, len(envs))
	for i := range envs {
		ds[i] = stem.Delivery{Envelope: &envs[i], Session: "foreign", Number: 1, Attempt: 1}
	}
	return ds
}

// "Revoked answers a notice with the cause ErrRevoked for each delivery that is revoked."
func storeNamesRevoked(x *exam) {
	ds := foreign(tasks("a", 3)...)
	same(x, "notices before", x.askRevoked(ds...), nil)
	r := revocation("a-001")
	r.Reason = rough
	x.revoke(r)
	ns := x.askRevoked(ds...)
	same(x, "notices", indexed(ns), map[int]error{1: stem.ErrRevoked})
	same(x, "reasons", reasons(ns), map[int]string{1: rough})
}

// "It goes by their Queue and Lineage alone."
func storeKnowsFamilies(x *exam) {
	x.revoke(familyOf("b"))
	ds := foreign(append(family(), task("b", onQueue("other")))...)
	got := slices.Collect(maps.Keys(indexed(x.askRevoked(ds...))))
	slices.Sort(got)
	same(x, "revoked", got, []int{1, 2, 4, 5})
}

// A revocation ends where it is kept.
func storeForgets(x *exam) {
	ds := foreign(task("a"))
	x.revoke(revocation("a"))
	x.Advance(time.Hour - tick)
	same(x, "notices within the hour", len(x.askRevoked(ds...)), 1)
	x.Advance(2 * tick)
	same(x, "notices after the hour", x.askRevoked(ds...), nil)
}

// "After Close of the adapter every method answers ErrClosed."
func storeIsClosed(x *exam) {
	x.close()
	ctx, cancel := x.bounded()
	defer cancel()
	_, err := revocationStore(x.Stores).Revoked(ctx, foreign(task("a"))...)
	x.closed("revoked", err)
}
