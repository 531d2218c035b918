package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// presence is a broker that keeps what workers say of themselves, and shows it.
var presence = capability{"stem.PresenceKeeper and stem.PresenceLister", func(s Stores) bool {
	_, keeps := stem.As[stem.PresenceKeeper](s.Broker)
	_, lists := stem.As[stem.PresenceLister](s.Broker)
	return keeps && lists
}}

var presencePromises = []promise{
	{name: "what a worker announces is listed as it was said", check: announcedAsSaid, needs: presence},
	{name: "nobody has announced anything in a new store", check: nobodyAnnounced, needs: presence},
	{name: "a later announcement of an id takes the place of the earlier one", check: announcedAgain, needs: presence},
	{name: "an announcement has its own time, shorter or longer than the one before", check: announcedShorter, needs: presence},
	{name: "two runs under one name are two", check: announcedTwice, needs: presence},
	{name: "an announcement goes when its time is over", check: announcementEnds, needs: presence},
	{name: "a worker is seen when the store's clock says", check: seenByTheStore, needs: presence},
	{name: "an announcement counts for every connection and outlives its own", check: announcedElsewhere, needs: presence},
	{name: "an announcement without an id or a time is refused", check: announcedNothing, needs: presence},
	{name: "after close announce and workers answer ErrClosed", check: presenceIsClosed, needs: presence},
}

func (x *exam) tryAnnounce(info stem.WorkerInfo) error {
	ctx, cancel := x.bounded()
	defer cancel()
	keeper, _ := stem.As[stem.PresenceKeeper](x.Broker)
	return keeper.Announce(ctx, info)
}

func (x *exam) announce(infos ...stem.WorkerInfo) {
	x.Helper()
	for _, info := range infos {
		if err := x.tryAnnounce(info); err != nil {
			x.Fatalf("announce %s: got error %v, want none", info.ID, err)
		}
	}
}

// workers gives what is listed, in the order of the ids.
func (x *exam) workers() []stem.WorkerInfo {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	lister, _ := stem.As[stem.PresenceLister](x.Broker)
	infos, err := lister.Workers(ctx)
	if err != nil {
		x.Fatalf("workers: got error %v, want none", err)
	}
	slices.SortFunc(infos, func(a, b stem.WorkerInfo) int { return strings.Compare(a.ID, b.ID) })
	return infos
}

// present expects the ids of those that are listed.
func (x *exam) present(ids ...string) {
	x.Helper()
	got := []string{}
	for _, info := range x.workers() {
		got = append(got, info.ID)
	}
	same(x, "workers", got, append([]string{}, ids...))
}

// visitor gives what a worker says for half a minute.
func visitor(id string) stem.WorkerInfo {
	return stem.WorkerInfo{ID: id, Name: "w", Queues: []string{queue}, Slots: 1, For: 30 * time.Second}
}

// "… what a worker says of themselves", with every field, and as much as workers say at most.
func announcedAsSaid(x *exam) {
	full := stem.WorkerInfo{
		ID: "0197a1b2-0000-7000-8000-000000000001", Name: "web-7", Host: "wéb-7.example", PID: 1<<22 - 1, Version: "v1.2.3", Revision: "c0ffee+dirty",
		Up: time.Hour + time.Nanosecond, Stopped: true, Queues: []string{"critical", queue}, Slots: 100_000, InHand: 200_000, RunningCount: 100_000,
		TaskCount: 2000, For: time.Minute,
	}
	for i := range 100 {
		full.Running = append(full.Running, stem.RunningTask{ID: fmt.Sprintf("%0200d", i), Task: "exam.task", For: time.Duration(i)})
	}
	for i := range 1000 {
		full.Tasks = append(full.Tasks, stem.TaskSchema{Task: fmt.Sprintf("%0200d", i), Fingerprint: 1<<64 - 1 - uint64(i)})
	}
	least := stem.WorkerInfo{ID: "z", For: time.Minute}
	x.announce(full, least)
	got := x.workers()
	if len(got) != 2 {
		x.Fatalf("workers: got %d, want 2", len(got))
	}
	for i, want := range []stem.WorkerInfo{full, least} {
		want.For, want.Seen = 0, got[i].Seen
		same(x, "worker "+want.ID, got[i], want)
	}
}

func nobodyAnnounced(x *exam) { x.present() }

// "A later one of the same id takes its place."
func announcedAgain(x *exam) {
	first, second := visitor("a"), visitor("a")
	first.Running = []stem.RunningTask{{ID: "1", Task: "exam.task"}}
	second.Slots = 7
	x.announce(first, visitor("b"), second)
	x.present("a", "b")
	got := x.workers()[0]
	second.For, second.Seen = 0, got.Seen
	same(x, "worker", got, second)
}

// "… with its own time."
func announcedShorter(x *exam) {
	shorter, longer := visitor("shorter"), visitor("longer")
	x.announce(shorter, longer)
	shorter.For, longer.For = 10*time.Second, time.Minute
	x.announce(shorter, longer)
	x.Advance(10*time.Second + tick)
	x.present("longer")
	x.Advance(time.Minute - 10*time.Second - 3*tick)
	x.present("longer")
	x.Advance(3 * tick)
	x.present()
}

// "Each run of a worker has its own, also under the same name."
func announcedTwice(x *exam) {
	x.announce(visitor("a"), visitor("b"))
	x.present("a", "b")
}

// "Keeps … for info.For, from now." One that goes on is still there.
func announcementEnds(x *exam) {
	x.announce(visitor("gone"), visitor("here"))
	for range 3 {
		x.Advance(10*time.Second - tick)
		x.announce(visitor("here"))
	}
	x.present("gone", "here")
	x.Advance(5 * tick)
	x.present("here")
	x.announce(visitor("gone"))
	x.present("gone", "here")
}

// "Seen is when the worker announced itself, by the store's clock."
func seenByTheStore(x *exam) {
	first, second := visitor("a"), visitor("b")
	first.For, second.For = 2*time.Hour, 2*time.Hour
	x.announce(first)
	x.Advance(time.Hour)
	x.announce(second)
	got := x.workers()
	if len(got) != 2 {
		x.Fatalf("workers: got %d, want 2", len(got))
	}
	if apart := got[1].Seen.Sub(got[0].Seen); apart < time.Hour-tick || apart > time.Hour+time.Minute {
		x.Errorf("they were seen %v apart, want 1h and the time of the calls", apart)
	}
	x.Advance(time.Minute)
	if again := x.workers(); !again[0].Seen.Equal(got[0].Seen) {
		x.Errorf("asked again it was seen at %v, want %v", again[0].Seen, got[0].Seen)
	}
}

// "What other connections have announced is among it, also when they have ended."
func announcedElsewhere(x *exam) {
	y := x.peer()
	x.announce(visitor("a"))
	y.present("a")
	if y == x {
		return // there is only one
	}
	x.close()
	y.present("a")
}

func announcedNothing(x *exam) {
	endless := visitor("a")
	endless.For = 0
	for _, info := range []stem.WorkerInfo{visitor(""), endless} {
		var option *stem.OptionError
		if err := x.tryAnnounce(info); !errors.As(err, &option) {
			x.Errorf("id %q for %v: got error %v, want an *OptionError", info.ID, info.For, err)
		}
	}
	x.present()
}

// "After Close of the adapter every method answers ErrClosed."
func presenceIsClosed(x *exam) {
	x.close()
	x.closed("announce", x.tryAnnounce(visitor("a")))
	lister, _ := stem.As[stem.PresenceLister](x.Broker)
	ctx, cancel := x.bounded()
	defer cancel()
	_, err := lister.Workers(ctx)
	x.closed("workers", err)
}
