package stem_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem"
)

// full has every field set.
var full = stem.Envelope{
	ID: "0197a1b2-0000-7000-8000-000000000001", Task: "demo.hello", Queue: "mail", Priority: 9,
	Payload: []byte{0x81, 0xa4, 'N', 'a', 'm', 'e', 0xa4, 'S', 't', 'e', 'm'},
	Headers: map[string]string{"tenant": "acme", "a": "\x00\xff"},
	Delay:   time.Minute, ExpiresIn: time.Hour, MaxRetries: 3, Backoff: stem.ExponentialBackoff(2*time.Second, 5*time.Minute),
	Timeout: 30 * time.Second, SoftTimeout: 20 * time.Second, Visibility: 2 * time.Minute, KeepResult: 24 * time.Hour,
	DedupeKey: "key", DedupeWindow: 10 * time.Minute, Fingerprint: 1<<64 - 1,
	Unique: &stem.Uniqueness{Key: "u", Until: stem.UntilTime, For: time.Minute, OnConflict: stem.ConflictError},
	Root:   "root", Parent: "parent", Ancestors: []string{"near", "far"}, ReplayOf: "old", RetryFor: time.Hour + 1,
	Limit:            &stem.Limit{Rate: stem.Rate{Count: 10, Per: time.Second, Burst: 5}, Key: "acme", Concurrency: 3},
	HeartbeatTimeout: 10 * time.Second,
	Links: []stem.Link{
		{When: stem.AfterSuccess, PassResult: true, Envelope: stem.Envelope{Task: "next", Queue: "q"}},
		{When: stem.AfterFailure, Envelope: stem.Envelope{Task: "mend", Queue: "q", Payload: []byte{0xc0}, Links: []stem.Link{
			{When: stem.AfterSuccess, Envelope: stem.Envelope{Task: "tell", Queue: "q"}},
		}}},
	},
}

// TestEnvelopeBytesNeverChange pins the wire format: these bytes lie in stores.
func TestEnvelopeBytesNeverChange(t *testing.T) {
	tests := []struct {
		name string
		e    stem.Envelope
		want string
	}{
		{"smallest", stem.Envelope{ID: "i", Task: "t", Queue: "q"}, "9201de000301a16902a17403a171"},
		{"full", full, fullEnvelope},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { pinned(t, stem.AppendEnvelope, stem.ParseEnvelope, tt.e, tt.want) })
	}
}

const fullEnvelope = "9201de001a01d92430313937613162322d303030302d373030302d383030302d30303030303030303030303102aa64656d6f2e68656c6c6f03a46d61696c040905c40b81a44e616d65a45374656d0682a161a200ffa674656e616e74a461636d6507cdea6008ce0036ee8009030a9302cd07d0ce000493e00bcd75300cce0001d4c00dce05265c000ea36b65790fce000927c01094a17503cdea600211cfffffffffffffffff12a4726f6f7413a6706172656e7414a36f6c641592a46e656172a366617216d3fffffcb9cf475fff17cd4e2018950acd03e805a461636d650319cd27101a929301c39201de000202a46e65787403a1719302c29201de000402a46d656e6403a17105c401c01a919301c29201de000202a474656c6c03a171"

func TestEnvelopeIsPlainMessagePack(t *testing.T) {
	plainMessagePack(t, stem.AppendEnvelope(nil, &full), 26)
}

func TestEnvelopesSurviveTheWire(t *testing.T) {
	name := rapid.StringMatching(`[!-~]{1,200}`)
	span := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64Min(0).Draw(t, "ns")) })
	link := rapid.Custom(func(t *rapid.T) stem.Link {
		l := stem.Link{When: stem.LinkWhen(rapid.IntRange(1, 2).Draw(t, "end")), Envelope: stem.Envelope{
			Task: name.Draw(t, "next"), Queue: name.Draw(t, "its queue"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "its payload"),
		}}
		l.PassResult = l.When == stem.AfterSuccess && rapid.Bool().Draw(t, "pass")
		return l
	})
	rapid.Check(t, func(t *rapid.T) {
		want := stem.Envelope{
			ID: name.Draw(t, "id"), Task: name.Draw(t, "task"), Queue: name.Draw(t, "queue"),
			Priority: rapid.IntRange(0, 9).Draw(t, "priority"),
			Payload:  rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
			Headers:  rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "headers"),
			Delay:    span.Draw(t, "delay"), ExpiresIn: span.Draw(t, "expires"), Timeout: span.Draw(t, "timeout"),
			Visibility: span.Draw(t, "visibility"), KeepResult: span.Draw(t, "keep"), DedupeWindow: span.Draw(t, "window"),
			MaxRetries: rapid.IntMin(0).Draw(t, "retries"),
			Backoff: stem.BackoffPolicy{
				Kind: stem.BackoffKind(rapid.IntRange(0, 2).Draw(t, "kind")), Base: span.Draw(t, "base"), Cap: span.Draw(t, "cap"),
			},
			Unique: rapid.Ptr(rapid.Custom(func(t *rapid.T) stem.Uniqueness {
				return stem.Uniqueness{
					Key: rapid.StringMatching(`[ -~]{1,401}`).Draw(t, "key"), Until: stem.UniqueUntil(rapid.IntRange(1, 3).Draw(t, "until")),
					For: max(span.Draw(t, "for"), 1), OnConflict: stem.Conflict(rapid.IntRange(0, 2).Draw(t, "conflict")),
				}
			}), true).Draw(t, "unique"),
			Fingerprint: rapid.Uint64().Draw(t, "fingerprint"),
			Root:        name.Draw(t, "root"),
			Parent:      name.Draw(t, "parent"), ReplayOf: name.Draw(t, "replay"),
			RetryFor:  span.Draw(t, "retryFor"),
			Ancestors: rapid.SliceOfN(name, 0, stem.MaxAncestors).Draw(t, "ancestors"),
		}
		if rapid.Bool().Draw(t, "limited") {
			want.Limit = &stem.Limit{Rate: stem.Rate{Count: 1, Per: time.Minute}, Key: name.Draw(t, "key"), Concurrency: rapid.IntRange(0, 1_000_000).Draw(t, "concurrency")}
		}
		want.HeartbeatTimeout = span.Draw(t, "heartbeat")
		want.Links = rapid.SliceOfN(link, 0, stem.MaxLinks).Draw(t, "links")
		want.SoftTimeout = time.Duration(rapid.Int64Range(0, max(int64(want.Timeout)-1, 0)).Draw(t, "soft"))
		data := stem.AppendEnvelope(nil, &want)
		got, err := stem.ParseEnvelope(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("parsed -, written +:\n%s", diff)
		}
		if again := stem.AppendEnvelope(nil, &got); !bytes.Equal(again, data) {
			t.Fatalf("written again: got %x, want %x", again, data)
		}
	})
}

func TestParseEnvelopeSkipsFieldsOfLaterVersions(t *testing.T) {
	// [1, {1: "i", 2: "t", 3: "q", 99: [{}]}]
	data, _ := hex.DecodeString("9201de000401a16902a17403a1716391" + "80")
	got, err := stem.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, stem.Envelope{ID: "i", Task: "t", Queue: "q"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", "offset 0"},
		{"no array", "a0", "want array, have str"},
		{"a newer version", "9202de0000", "version 2, this build reads version 1: update this program"},
		{"an announced map of 2^32 entries", "9201dfffffffff", "entries"},
		{"trailing bytes", "9201de000301a16902a17403a17100", "trailing bytes"},
		{"no id", "9201de000202a17403a171", `id ""`},
		{"a negative retry count", "9201de000401a16902a17403a17109ff", "max retries -1"},
		{"a priority that does not fit", "9201de000401a16902a17403a17104cc0a", "priority 10: want 0 to 9"},
		{"17 links", "9201de000401a16902a17403a1711adc0011" + strings.Repeat("c0", 17), "17 links"},
		{"links in links, 9 deep", "9201de000401a16902a17403a171" + deepLinks(9), "9 deep"},
		{"a link with an id", "9201de000401a16902a17403a1711a919301c29201de000301a16902a17403a171", "id, dedupe key and lineage"},
		{"a delay of more than 292 years", "9201de000401a16902a17403a17107d3" + "8000000000000000", "292 years"},
		{"a terminal escape for a name", "9201de000301a16902a21b5b03a171", "printable ASCII"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := hex.DecodeString(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			_, err = stem.ParseEnvelope(data)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// deepLinks gives the field of links that lie in each other so deep.
func deepLinks(n int) string {
	links := "1a90"
	for range n {
		links = "1a919301c29201de000302a17403a171" + links
	}
	return links
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add(stem.AppendEnvelope(nil, &full))
	f.Add([]byte{0x92, 1, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) { readTwice(t, stem.AppendEnvelope, stem.ParseEnvelope, data) })
}

func TestValidateNamesTheField(t *testing.T) {
	sound := stem.Envelope{ID: "i", Task: "t", Queue: "q"}
	tests := []struct {
		change func(*stem.Envelope)
		want   string
	}{
		{func(e *stem.Envelope) { e.ID = strings.Repeat("x", 201) }, "stem: id"},
		{func(e *stem.Envelope) { e.Task = "" }, "stem: task name"},
		{func(e *stem.Envelope) { e.Queue = "a b" }, "stem: queue"},
		{func(e *stem.Envelope) { e.DedupeKey = "ü" }, "stem: dedupe key"},
		{func(e *stem.Envelope) {
			e.Unique = &stem.Uniqueness{Key: strings.Repeat("x", 402), Until: stem.UntilDone}
		}, "stem: unique key"},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Until: stem.UntilDone} }, `stem: unique key ""`},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Key: "k"} }, "stem: uniqueness 0"},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Key: "k", Until: 4} }, "stem: uniqueness 4"},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Key: "k", Until: stem.UntilTime} }, "stem: time of uniqueness 0s"},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Key: "k", Until: stem.UntilDone, For: -1} }, "stem: time of uniqueness -1ns"},
		{func(e *stem.Envelope) { e.Unique = &stem.Uniqueness{Key: "k", Until: stem.UntilDone, OnConflict: 3} }, "stem: conflict 3"},
		{func(e *stem.Envelope) { e.Parent = "\x1b[2J" }, "stem: parent"},
		{func(e *stem.Envelope) { e.Ancestors = []string{"sound", ""} }, "stem: ancestor"},
		{func(e *stem.Envelope) { e.Ancestors = make([]string, 17) }, "stem: ancestors 17 ids: want at most 16"},
		{func(e *stem.Envelope) { e.Priority = 10 }, "stem: priority 10: want 0 to 9"},
		{func(e *stem.Envelope) { e.MaxRetries = -1 }, "stem: max retries -1"},
		{func(e *stem.Envelope) { e.Timeout = -time.Second }, "stem: timeout -1s"},
		{func(e *stem.Envelope) { e.HeartbeatTimeout = -time.Second }, "stem: heartbeat timeout -1s"},
		{func(e *stem.Envelope) { e.Links = make([]stem.Link, 17) }, "stem: links 17: want at most 16"},
		{func(e *stem.Envelope) { e.Backoff.Kind = 7 }, "stem: back-off kind 7"},
		{func(e *stem.Envelope) { e.Limit = &stem.Limit{Concurrency: -1} }, "stem: concurrency -1: want 0 to 1,000,000"},
		{func(e *stem.Envelope) { e.Limit = &stem.Limit{Key: "acme"} }, `stem: limit key "acme": want a rate limit beside it`},
		{func(e *stem.Envelope) { e.Limit = &stem.Limit{Key: "a b", Rate: stem.Rate{Count: 1, Per: 1e9}} }, `stem: limit key "a b"`},
		{func(e *stem.Envelope) { e.Limit = &stem.Limit{Rate: stem.Rate{Count: 1}} }, "stem: rate limit 1 in 0s"},
	}
	for _, tt := range tests {
		e := sound
		tt.change(&e)
		err := e.Validate()
		var option *stem.OptionError
		if !errors.As(err, &option) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want a *stem.OptionError that begins with %q", err, tt.want)
		}
	}
}
