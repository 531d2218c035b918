package adaptertest_test

import (
	"context"
	"errors"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

// set sets a flag of rapid for one test.
func set(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// with is a harness of memory with a fault.
func with(fault func(s *adaptertest.Stores)) adaptertest.Harness {
	return adaptertest.Harness{Within: synctest.Test, Open: func(t testing.TB) adaptertest.Stores {
		stores := openMemory(t)
		fault(&stores)
		return stores
	}}
}

// model runs the model on a store, and gives what it tells if that breaks the contract.
func model(t *testing.T, h adaptertest.Harness, programs int) (failures []string) {
	t.Helper()
	return record(t, func(tb testing.TB) { adaptertest.CheckModel(t, tb, h, programs) }).failures
}

// beyond are faults that no program of the model can meet, by what it leaves to the promises.
var beyond = slices.Concat(
	[]string{ // waiting, and being woken
		"looks for work every 47 seconds", "looks for results every half minute", "takes news for an outcome",
		"wakes whoever waits for any result", "answers the end of an await with nothing",
		"answers an expired record as one that never was",
		"recovers what it has just waited for",
	},
	[]string{ // closing
		"does not close", "answers after close with an error of its own", "closes the store with a connection",
		"answers revocations after its close", "pauses after its close",
	},
	[]string{ // strange, big and empty values
		"knows no capitals in unique keys", "cuts unique keys at 200 bytes",
		"makes headers valid UTF-8", "loses the headers of what comes back", "rounds durations to milliseconds",
		"cuts payloads at 64 KiB", "cuts marks at 4 KiB", "cuts results at 64 KiB", "cuts a queue's name at a colon",
		"takes names for patterns", "overflows when a delay is added to the clock", "refuses an empty batch",
		"refuses an empty batch of records", "lends nothing where the first payload is too large",
		"refuses a batch for one of its revocations", "revokes a family from its first task on",
		"takes a verdict that is none for an ack",
		"forgets progress", "forgets the data of a report", "forgets attempts", "forgets stacks", "tells no time",
	},
	[]string{ // which value has a capability, and deliveries of other brokers
		"has a SavingSettler of the broker's own", "knows revocations of its own deliveries only", "looks at nothing but ids",
	},
	faultsOf(transactionMutants), // programs have no transactions
	[]string{
		"knows no unique keys in transactions", "commits what is to roll back, keys and all", "settles nothing beside a transaction that has published",
	},
	faultsOf(presenceMutants), // nor do their workers say anything of themselves
	faultsOf(controlMutants),  // and nobody gives them orders
	faultsOf(limitMutants),    // programs take no turns and hold no places
	faultsOf(opsMutants),      // and no operator looks on
	[]string{"looks for bounded tasks twice a minute", "bounds every task whose name begins alike"},
)

// faultsOf gives what mutants do.
func faultsOf(mutants []mutant) []string {
	var faults []string
	for _, m := range mutants {
		faults = append(faults, m.does)
	}
	return faults
}

func TestModelCatchesMutants(t *testing.T) {
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.shrinktime", "0s")
	caught := 0
	for _, m := range mutants() {
		if slices.Contains(beyond, m.does) {
			continue
		}
		caught++
		t.Run(m.does, func(t *testing.T) {
			if len(model(t, with(m.fault), 5000)) == 0 {
				t.Errorf("a store that %s: got the contract kept, want it broken (or is that beyond the model?)", m.does)
			}
		})
	}
	t.Logf("%d of %d mutants are caught", caught, len(mutants()))
}

func faultOf(t *testing.T, does string) func(s *adaptertest.Stores) {
	t.Helper()
	i := slices.IndexFunc(mutants(), func(m mutant) bool { return m.does == does })
	if i < 0 {
		t.Fatalf("got no mutant that %s, want one", does)
	}
	return mutants()[i].fault
}

// What is found is shortened to what a person can read, and a seed finds it again.
func TestModelShowsAShortProgramAndItsSeed(t *testing.T) {
	set(t, "rapid.nofailfile", "true")
	const longest = 20 // lines, with the end of the program; before, there are some 70
	for _, does := range []string{"counts no interruptions", "retries by publishing a copy", "forgets marks", "pauses nothing"} {
		t.Run(does, func(t *testing.T) {
			failures := model(t, with(faultOf(t, does)), 3000)
			if len(failures) != 2 {
				t.Fatalf("got failures %q, want rapid's and the history", failures)
			}
			if lines := strings.Count(failures[1], "\n"); lines > longest {
				t.Errorf("got a history of %d lines, want at most %d:\n%s", lines, longest, failures[1])
			}
			seed := regexp.MustCompile(`-rapid\.seed=(\d+)`).FindStringSubmatch(failures[0])
			if seed == nil {
				t.Fatalf("got %s, want it to tell the seed", failures[0])
			}
			set(t, "rapid.seed", seed[1])
			again := model(t, with(faultOf(t, does)), 1)
			if len(again) == 0 || !strings.Contains(again[0], "failed after 0 tests") {
				t.Errorf("got %q with the seed, want the first program to fail", again)
			}
			t.Log(failures[1])
		})
	}
}

// free are stores that use what the contract leaves to them.
var free = map[string]func(s *adaptertest.Stores){
	"lends one at a time": request(func(req *stem.ReceiveRequest) { req.Max = 1 }),
	"renews a session at each receive": broker(func(b *faultyBroker) {
		b.receive = func(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
			if ctx.Err() == nil {
				_, _ = b.Broker.Extend(ctx, req.Session)
			}
			return b.Broker.Receive(ctx, req)
		}
	}),
	"refuses what is repeated": broker(func(b *faultyBroker) { b.settle = b.once() }),
	"names what was settled":   broker(func(b *faultyBroker) { b.extend = b.nameSettled() }),
	"never knows that there was a record": backend(func(b *faultyBackend) {
		b.load = func(ctx context.Context, ids []string) ([]stem.Result, error) {
			rs, err := b.Backend.Load(ctx, ids...)
			var partial *stem.PartialError
			if errors.As(err, &partial) {
				for i := range partial.Items {
					partial.Items[i].Err = stem.ErrNoResult
				}
			}
			return rs, err
		}
	}),
	"is a broker only":  func(s *adaptertest.Stores) { s.Backend = nil },
	"is a backend only": func(s *adaptertest.Stores) { s.Broker = nil },
	"has no capability": func(s *adaptertest.Stores) { s.Broker = struct{ stem.Broker }{s.Broker} },
}

func TestModelLeavesStoresTheirFreedoms(t *testing.T) {
	set(t, "rapid.nofailfile", "true")
	for does, freedom := range free {
		t.Run(does, func(t *testing.T) {
			for _, failure := range model(t, with(freedom), 300) {
				t.Errorf("a store that %s: got %s, want it to keep the contract", does, failure)
			}
		})
	}
}

// once gives a Settle that refuses what has been settled before.
func (b *faultyBroker) once() func(context.Context, []stem.Settlement) error {
	settled := map[int64]bool{}
	return func(ctx context.Context, ss []stem.Settlement) error {
		var failed []stem.ItemError
		for i, s := range ss {
			err := stem.ItemErr(b.Broker.Settle(ctx, s), 0)
			if settled[s.Delivery.Number] {
				err = stem.ErrLeaseLost
			}
			if settled[s.Delivery.Number] = true; err != nil {
				failed = append(failed, stem.ItemError{Index: i, Err: err})
			}
		}
		if failed == nil {
			return nil
		}
		return &stem.PartialError{Items: failed}
	}
}

// nameSettled gives an Extend that names whatever is not held.
func (b *faultyBroker) nameSettled() func(context.Context, stem.Session, []stem.Delivery) ([]stem.Notice, error) {
	settled := map[int64]bool{}
	b.settlement = func(s *stem.Settlement) { settled[s.Delivery.Number] = true }
	return func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
		ns, err := b.Broker.Extend(ctx, s, held...)
		for i, d := range held {
			named := slices.ContainsFunc(ns, func(n stem.Notice) bool { return n.Index == i })
			if settled[d.Number] && !named {
				ns = append(ns, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
			}
		}
		return ns, err
	}
}

// As many programs run as the adapter's test says, and more by the flag.
func TestModelRunsAsManyProgramsAsAreAsked(t *testing.T) {
	count := func() (opened int) {
		adaptertest.RunModel(t, with(func(*adaptertest.Stores) { opened++ }), 150)
		return opened
	}
	set(t, "rapid.checks", "100")
	if got := count(); got < 150 || got > 200 {
		t.Errorf("got %d programs, want 150 in rounds of 100", got)
	}
	set(t, "rapid.checks", "400")
	if got := count(); testing.Short() && got < 150 || !testing.Short() && got != 400 {
		t.Errorf("got %d programs, want the 400 of -rapid.checks", got)
	}
}
