package stem_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// keeper is a catcher that keeps unique keys, as far as a client can tell.
type keeper struct {
	catcher
	answer func(e stem.Envelope) stem.Published
}

func (k *keeper) Started(context.Context, ...stem.Delivery) ([]stem.Notice, error) { return nil, nil }

func (k *keeper) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	answers, err := k.catcher.Publish(ctx, envs...)
	if k.answer != nil {
		for i := range envs {
			answers[i] = k.answer(envs[i])
		}
	}
	return answers, err
}

// uniqueness gives what an enqueue makes of options.
func uniqueness(t *testing.T, payload []byte, opts ...stem.Option) (*stem.Uniqueness, error) {
	t.Helper()
	k := new(keeper)
	client, err := stem.NewClient(k, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.EnqueueRaw(t.Context(), "task", payload, opts...); err != nil {
		return nil, err
	}
	return k.envs[0].Unique, nil
}

var nothing = []byte{0xc0}

func TestOptionsOfUniquenessReachTheEnvelope(t *testing.T) {
	tests := []struct {
		name string
		opts []stem.Option
		want *stem.Uniqueness
	}{
		{"none", nil, nil},
		{"until done", []stem.Option{stem.Unique(stem.UntilDone), stem.UniqueKey("k")}, &stem.Uniqueness{Key: "task k", Until: stem.UntilDone}},
		{"until started", []stem.Option{stem.UniqueKey("k"), stem.Unique(stem.UntilStarted)}, &stem.Uniqueness{Key: "task k", Until: stem.UntilStarted}},
		{"for a time", []stem.Option{stem.UniqueKey("k"), stem.UniqueFor(time.Hour)}, &stem.Uniqueness{Key: "task k", Until: stem.UntilTime, For: time.Hour}},
		{"bounded", []stem.Option{stem.UniqueKey("k"), stem.Unique(stem.UntilDone), stem.UniqueAtMost(time.Hour)}, &stem.Uniqueness{Key: "task k", Until: stem.UntilDone, For: time.Hour}},
		{"replace", []stem.Option{stem.UniqueKey("k"), stem.Unique(stem.UntilDone), stem.OnConflict(stem.ConflictReplace)}, &stem.Uniqueness{Key: "task k", Until: stem.UntilDone, OnConflict: stem.ConflictReplace}},
		{"taken back", []stem.Option{stem.UniqueKey("k"), stem.Unique(stem.UntilDone), stem.Unique(0)}, nil},
		{"a time taken back", []stem.Option{stem.UniqueKey("k"), stem.UniqueFor(time.Hour), stem.UniqueFor(0)}, nil},
		{"another one", []stem.Option{stem.UniqueKey("k"), stem.UniqueFor(time.Hour), stem.Unique(stem.UntilDone)}, &stem.Uniqueness{Key: "task k", Until: stem.UntilDone}},
	}
	for _, tt := range tests {
		got, err := uniqueness(t, nothing, tt.opts...)
		if diff := cmp.Diff(got, tt.want); err != nil || diff != "" {
			t.Errorf("%s: got error %v, and got -, want +:\n%s", tt.name, err, diff)
		}
	}
}

func TestOptionsOfUniquenessThatSayNothingAreRefused(t *testing.T) {
	tests := []struct {
		opts []stem.Option
		want string
	}{
		{[]stem.Option{stem.UniqueBy("A")}, "it says nothing by itself"},
		{[]stem.Option{stem.OnConflict(stem.ConflictError)}, "it says nothing by itself"},
		{[]stem.Option{stem.Unique(stem.UntilTime)}, "UniqueFor, which says for how long"},
		{[]stem.Option{stem.UniqueFor(time.Hour), stem.UniqueAtMost(time.Hour)}, "UniqueFor says for how long already"},
		{[]stem.Option{stem.Unique(9)}, "uniqueness 9"},
		{[]stem.Option{stem.UniqueFor(-time.Hour)}, "time of uniqueness -1h0m0s"},
		{[]stem.Option{stem.Unique(stem.UntilDone), stem.UniqueKey("")}, "unique key"},
		{[]stem.Option{stem.Unique(stem.UntilDone), stem.UniqueKey("two words")}, "unique key"},
		{[]stem.Option{stem.Unique(stem.UntilDone), stem.UniqueBy("A")}, `UniqueBy "A": want fields of args that are a struct or a map`},
	}
	for _, tt := range tests {
		_, err := uniqueness(t, []byte{0x01}, tt.opts...)
		if !errors.As(err, new(*stem.OptionError)) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want a *stem.OptionError with %q", err, tt.want)
		}
	}
	_, err := stem.NewClient(new(keeper), stem.ClientConfig{Defaults: []stem.Option{stem.Unique(stem.UntilDone)}})
	if !errors.As(err, new(*stem.OptionError)) {
		t.Errorf("as a default of the client: got %v, want a *stem.OptionError", err)
	}
}

// encoded gives a map of strings and maps on the wire, its keys in the order given.
func encoded(pairs ...any) []byte {
	b := codec.AppendMapLen(nil, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		b = codec.AppendString(b, pairs[i].(string))
		switch v := pairs[i+1].(type) {
		case string:
			b = codec.AppendString(b, v)
		case []byte:
			b = append(b, v...)
		}
	}
	return b
}

func TestUniqueByGoesByTheFieldsThatAreNamed(t *testing.T) {
	key := func(payload []byte, fields ...string) string {
		t.Helper()
		u, err := uniqueness(t, payload, stem.Unique(stem.UntilDone), stem.UniqueBy(fields...))
		if err != nil {
			t.Fatal(err)
		}
		return u.Key
	}
	user := encoded("id", "7", "name", "Ada")
	args := encoded("user", user, "day", "monday")
	same := func(what string, a, b string) {
		t.Helper()
		if a != b {
			t.Errorf("%s: got keys %q and %q, want the same", what, a, b)
		}
	}
	differ := func(what string, a, b string) {
		t.Helper()
		if a == b {
			t.Errorf("%s: got the key %q twice, want two", what, a)
		}
	}
	same("another field", key(args, "day"), key(encoded("user", "x", "day", "monday"), "day"))
	differ("the field", key(args, "day"), key(encoded("user", user, "day", "friday"), "day"))
	same("a field of a field", key(args, "user.id"), key(encoded("user", encoded("id", "7", "name", "Bob")), "user.id"))
	differ("a field of a field", key(args, "user.id"), key(encoded("user", encoded("id", "8", "name", "Ada")), "user.id"))
	same("no such field, and nil", key(args, "hour"), key(encoded("hour", []byte{0xc0}), "hour"))
	differ("which field", key(encoded("a", "x"), "a", "b"), key(encoded("b", "x"), "a", "b"))
	differ("where one value ends", key(encoded("a", "xy", "b", "z"), "a", "b"), key(encoded("a", "x", "b", "yz"), "a", "b"))
	differ("all args", key(args), key(encoded("user", user, "day", "friday")))
	same("all args", key(args), key(encoded("user", user, "day", "monday")))
	if got := len(key(args)); got != len("task ")+32 {
		t.Errorf("length of a key: got %d, want 37: 128 bits in hex behind the name", got)
	}
}

func TestConflictErrorIsOfTheEnqueue(t *testing.T) {
	k := &keeper{answer: func(e stem.Envelope) stem.Published {
		if string(e.Payload) == "\xa5taken" {
			return stem.Published{ID: "holder", Duplicate: true, Conflict: true}
		}
		return stem.Published{ID: e.ID}
	}}
	client, err := stem.NewClient(k, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "task", Options: []stem.Option{stem.Unique(stem.UntilDone)}}, text, text).Via(client)
	_, err = def.Enqueue(t.Context(), "taken", stem.OnConflict(stem.ConflictError))
	var conflict *stem.UniqueConflictError
	if !errors.Is(err, stem.ErrNotUnique) || !errors.As(err, &conflict) || *conflict != (stem.UniqueConflictError{Task: "task", ID: "holder"}) {
		t.Errorf("one: got %v, want a *stem.UniqueConflictError that names the holder", err)
	}
	job, err := def.Enqueue(t.Context(), "taken")
	if err != nil || job.ID() != "holder" || !job.Duplicate() {
		t.Errorf("without ConflictError: got job %s, %v, want that of the holder", job.ID(), err)
	}
	jobs, err := def.EnqueueMany(t.Context(), []string{"free", "taken", "free too"}, stem.OnConflict(stem.ConflictError))
	if stem.ItemErr(err, 0) != nil || !errors.Is(stem.ItemErr(err, 1), stem.ErrNotUnique) || stem.ItemErr(err, 2) != nil {
		t.Errorf("many: got %v, want the second to be refused", err)
	}
	if jobs[0].ID() == "" || jobs[1].ID() != "" || jobs[2].ID() == "" {
		t.Errorf("many: got jobs %v, want all but the second", jobs)
	}
	if _, err := def.EnqueueMany(t.Context(), []string{"a", "b"}, stem.UniqueKey("k")); !errors.As(err, new(*stem.OptionError)) {
		t.Errorf("one key for many: got %v, want a *stem.OptionError", err)
	}
}

func TestABrokerThatKeepsNoUniqueKeysGetsNoUniqueTask(t *testing.T) {
	client, err := stem.NewClient(new(catcher), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.EnqueueRaw(t.Context(), "task", nothing, stem.Unique(stem.UntilDone))
	if err == nil || !strings.Contains(err.Error(), "*stem_test.catcher is no stem.UniqueKeeper") {
		t.Errorf("enqueue: got %v, want an error that names broker and capability", err)
	}
	e := stem.Envelope{ID: "id", Task: "task", Queue: "q", Unique: &stem.Uniqueness{Key: "k", Until: stem.UntilDone}}
	if _, err = client.Publish(t.Context(), e); err == nil || !strings.Contains(err.Error(), "UniqueKeeper") {
		t.Errorf("publish: got %v, want an error that names the capability", err)
	}
}

func TestALinkThatTakesAResultIsNotUniqueByItsArgs(t *testing.T) {
	client, err := stem.NewClient(new(keeper), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	first := stem.Define(stem.TaskSpec{Name: "first"}, text, text).Via(client)
	next := stem.Define(stem.TaskSpec{Name: "next", Options: []stem.Option{stem.Unique(stem.UntilDone)}}, text, text)
	if _, err := first.Enqueue(t.Context(), "", stem.Then(first, next)); err == nil || !strings.Contains(err.Error(), "a result that is not known yet") {
		t.Errorf("by its args: got %v, want an error that says that they are not known yet", err)
	}
	for _, opt := range []stem.Option{stem.UniqueKey("k"), stem.Unique(0)} {
		if _, err := first.Enqueue(t.Context(), "", stem.Then(first, next, opt)); err != nil {
			t.Errorf("otherwise: got %v, want no error", err)
		}
	}
}
