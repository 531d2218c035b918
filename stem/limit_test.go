package stem_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

func TestLimitOptionsReachTheEnvelope(t *testing.T) {
	acme := stem.Header("tenant", "acme")
	ten := stem.Rate{Count: 10, Per: time.Second}
	tests := []struct {
		promise                    string
		defaults, definition, call []stem.Option
		want                       *stem.Limit
	}{
		{promise: "a plain task has no limit"},
		{"a rate is spaced evenly", nil, nil, []stem.Option{stem.RateLimit(10, time.Second)}, &stem.Limit{Rate: ten}},
		{"a burst stands before its rate or behind it", nil, []stem.Option{stem.Burst(5)}, []stem.Option{stem.RateLimit(10, time.Second)},
			&stem.Limit{Rate: stem.Rate{Count: 10, Per: time.Second, Burst: 5}}},
		{"the call's concurrency joins the definition's rate", nil, []stem.Option{stem.RateLimit(10, time.Second)}, []stem.Option{stem.Concurrency(3)},
			&stem.Limit{Rate: ten, Concurrency: 3}},
		{"a header is the key", nil, []stem.Option{stem.RateLimit(10, time.Second), stem.LimitKeyHeader("tenant")}, []stem.Option{acme},
			&stem.Limit{Rate: ten, Key: "acme"}},
		{"a missing header is no key", nil, []stem.Option{stem.RateLimit(10, time.Second), stem.LimitKeyHeader("tenant")}, nil, &stem.Limit{Rate: ten}},
		{"the client's defaults hold, with their key", []stem.Option{stem.RateLimit(10, time.Second), stem.LimitKeyHeader("tenant")}, nil, []stem.Option{acme},
			&stem.Limit{Rate: ten, Key: "acme"}},
		{"a call takes back rate, burst and key", []stem.Option{stem.RateLimit(10, time.Second), stem.Burst(2), stem.LimitKeyHeader("tenant")},
			[]stem.Option{stem.RateLimit(0, 0)}, []stem.Option{acme}, nil},
		{"a call takes back the concurrency", nil, []stem.Option{stem.Concurrency(3)}, []stem.Option{stem.Concurrency(0)}, nil},
		{"and leaves the rest", nil, []stem.Option{stem.Concurrency(3), stem.RateLimit(10, time.Second)}, []stem.Option{stem.Concurrency(0)}, &stem.Limit{Rate: ten}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			for range 2 { // what one call says must not stay with the definition or the client
				got, err := published(t, tt.defaults, tt.definition, tt.call)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got.Limit, tt.want); diff != "" {
					t.Errorf("got -, want +:\n%s", diff)
				}
			}
		})
	}
}

// One call changes what it says, and nothing that others share.
func TestACallChangesItsOwnLimit(t *testing.T) {
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{Defaults: []stem.Option{stem.Concurrency(7)}})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "task"}, text, text).Via(client)
	for _, opts := range [][]stem.Option{{stem.Concurrency(3)}, nil} {
		if _, err := def.Enqueue(t.Context(), "", opts...); err != nil {
			t.Fatal(err)
		}
	}
	if first, second := c.envs[0].Limit.Concurrency, c.envs[1].Limit.Concurrency; first != 3 || second != 7 {
		t.Errorf("got concurrency %d and then %d, want 3 for the call and 7 for the next", first, second)
	}
}

func TestALimitKeyIsFoundInTheArgs(t *testing.T) {
	tenant := func(id []byte) []byte { // {"name": "x", "tenant": {"id": …}}
		b := codec.AppendString(codec.AppendString(codec.AppendMapLen(nil, 2), "name"), "x")
		return append(codec.AppendString(codec.AppendMapLen(codec.AppendString(b, "tenant"), 1), "id"), id...)
	}
	long := strings.Repeat("x", 201)
	tests := []struct {
		promise, path string
		payload       []byte
		want          string
	}{
		{"a field", "name", tenant(codec.AppendString(nil, "acme")), "x"},
		{"a field within a field", "tenant.id", tenant(codec.AppendString(nil, "acme")), "acme"},
		{"a number in digits", "tenant.id", tenant(codec.AppendInt(nil, -12)), "-12"},
		{"the largest number", "tenant.id", tenant(codec.AppendUint(nil, 1<<64-1)), "18446744073709551615"},
		{"a bool", "tenant.id", tenant(codec.AppendBool(nil, true)), "true"},
		{"bytes as a text", "tenant.id", tenant(codec.AppendBytes(nil, []byte("acme"))), "acme"},
		{"nil is no key", "tenant.id", tenant([]byte{0xc0}), ""},
		{"what is missing is no key", "tenant.name", tenant(codec.AppendString(nil, "acme")), ""},
		{"nor what lies in no map", "name.id", tenant(codec.AppendString(nil, "acme")), ""},
		{"nor what lies in args that are no map", "name", codec.AppendString(nil, "name"), ""},
		{"what is no name is hashed", "tenant.id", tenant(codec.AppendString(nil, "a b")), "#c8687a08aa5d6ed2044328fa6a697ab8"},
		{"so is what is too long", "tenant.id", tenant(codec.AppendString(nil, long)), stem.LimitKey(long)},
		{"and what is no text", "tenant.id", tenant(codec.AppendFloat64(nil, 1.5)), stem.LimitKey("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00")},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			c := new(catcher)
			client, err := stem.NewClient(c, stem.ClientConfig{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.EnqueueRaw(t.Context(), "task", tt.payload, stem.RateLimit(1, time.Second), stem.LimitKeyField(tt.path))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.envs[0].Limit.Key; got != tt.want {
				t.Errorf("got key %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBadLimitsAreRefusedByName(t *testing.T) {
	for want, opts := range map[string][]stem.Option{
		"rate limit -1 in 1s":                             {stem.RateLimit(-1, time.Second)},
		"rate limit 1 in 0s":                              {stem.RateLimit(1, 0)},
		"rate limit 1 in 9000h0m0s":                       {stem.RateLimit(1, 9000*time.Hour)},
		"rate limit 1000001 in 1s":                        {stem.RateLimit(1_000_001, time.Second)},
		"burst -1":                                        {stem.RateLimit(1, time.Second), stem.Burst(-1)},
		"burst 40000000: want 0 or more":                  {stem.RateLimit(1, time.Second), stem.Burst(40_000_000)},
		"burst 5: want a rate limit":                      {stem.Burst(5)},
		"concurrency -1":                                  {stem.Concurrency(-1)},
		"concurrency 1000001":                             {stem.Concurrency(1_000_001)},
		`limit key "tenant": want a rate limit beside it`: {stem.LimitKeyHeader("tenant")},
		`limit key "id": want a rate limit beside it`:     {stem.LimitKeyField("id"), stem.Concurrency(2)},
	} {
		for where, opts := range map[string][2][]stem.Option{"call": {nil, opts}, "client": {opts, nil}} {
			_, err := published(t, opts[0], nil, opts[1])
			var option *stem.OptionError
			if !errors.As(err, &option) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want a *stem.OptionError with %q", where, err, want)
			}
		}
	}
}

func TestARateIsAnIntervalAndATolerance(t *testing.T) {
	tests := []struct {
		rate                stem.Rate
		interval, tolerance time.Duration
	}{
		{stem.Rate{}, 0, 0},
		{stem.Rate{Count: 10, Per: time.Second}, 100 * time.Millisecond, 0},
		{stem.Rate{Count: 10, Per: time.Second, Burst: 1}, 100 * time.Millisecond, 0},
		{stem.Rate{Count: 10, Per: time.Second, Burst: 5}, 100 * time.Millisecond, 400 * time.Millisecond},
		{stem.Rate{Count: 3, Per: time.Second, Burst: 2}, 333_334 * time.Microsecond, 333_334 * time.Microsecond}, // never more than 3
		{stem.Rate{Count: 1_000_000, Per: time.Second}, time.Microsecond, 0},
		{stem.Rate{Count: 1, Per: 1500 * time.Nanosecond}, 2 * time.Microsecond, 0},
	}
	for _, tt := range tests {
		if got := tt.rate.Interval(); got != tt.interval {
			t.Errorf("%+v: got interval %v, want %v", tt.rate, got, tt.interval)
		}
		if got := tt.rate.Tolerance(); got != tt.tolerance {
			t.Errorf("%+v: got tolerance %v, want %v", tt.rate, got, tt.tolerance)
		}
	}
}
