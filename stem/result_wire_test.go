package stem_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem"
)

// fullResult has every field set that goes over the wire.
var fullResult = stem.Result{
	ID: "0197a1b2-0000-7000-8000-000000000001", Task: "demo.hello", Queue: "mail", State: stem.StateFailed,
	Payload:  []byte{0xa4, 'S', 't', 'e', 'm'},
	Failure:  &stem.Failure{Kind: stem.FailurePanic, Message: "index out of range", Stack: "goroutine 1 [running]:"},
	Progress: &stem.ProgressReport{Percent: 12.5, Message: "nearly"},
	Delivery: 1<<53 - 1, Attempt: 2, Interruptions: 3, Snoozes: 4, Releases: 5,
	History: []stem.AttemptRecord{
		{Attempt: 1, At: time.UnixMilli(1767225600123).UTC(), Worker: "w1", Kind: stem.FailurePanic, Message: "index out of range", StackDigest: "0123456789abcdef"},
		{Attempt: 2},
	},
	Worker: "w2", Waited: time.Hour + time.Nanosecond, Ran: math.MaxInt64,
	Replays: &stem.Replays{Count: 3, As: "0197a1b2-0000-7000-8000-000000000002", At: time.UnixMilli(1767225600123).UTC()},
}

// TestResultBytesNeverChange pins the wire format: these bytes lie in stores.
func TestResultBytesNeverChange(t *testing.T) {
	tests := []struct {
		name string
		r    stem.Result
		want string
	}{
		{"smallest", stem.Result{ID: "i", State: stem.StateRunning}, "9201de000201a16904a772756e6e696e67"},
		{"an empty failure and an empty report", stem.Result{ID: "i", State: stem.StateRunning, Failure: new(stem.Failure), Progress: new(stem.ProgressReport)},
			"9201de000401a16904a772756e6e696e670693a0a0a00792cb0000000000000000a0"},
		{"full", fullResult, fullResultBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { pinned(t, stem.AppendResult, stem.ParseResult, tt.r, tt.want) })
	}
}

const fullResultBytes = "9201de001101d92430313937613162322d303030302d373030302d383030302d30303030303030303030303102aa64656d6f2e68656c6c6f03a46d61696c04a66661696c656405c405a45374656d0693a570616e6963b2696e646578206f7574206f662072616e6765b6676f726f7574696e652031205b72756e6e696e675d3a0792cb4029000000000000a66e6561726c7908cf001fffffffffffff09020a030b040c050d929601cf0000019b76daa87ba27731a570616e6963b2696e646578206f7574206f662072616e6765b0303132333435363738396162636465669602d3ffffc77cedd32800a0a0a0a00ea277320fcf0000034630b8a00110cf7fffffffffffffff119303d92430313937613162322d303030302d373030302d383030302d303030303030303030303032cf0000019b76daa87b"

func TestResultIsPlainMessagePack(t *testing.T) {
	plainMessagePack(t, stem.AppendResult(nil, &fullResult), 17)
}

func TestAResultOnTheWireDoesNotSayForHowLongItIsKept(t *testing.T) {
	kept := fullResult
	kept.Keep = time.Hour
	if got, want := stem.AppendResult(nil, &kept), stem.AppendResult(nil, &fullResult); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestResultsSurviveTheWire(t *testing.T) {
	count := rapid.IntMin(0)
	text := rapid.String()
	span := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64().Draw(t, "ns")) })
	kind := rapid.Custom(func(t *rapid.T) stem.FailureKind { return stem.FailureKind(text.Draw(t, "kind")) })
	attempt := rapid.Custom(func(t *rapid.T) stem.AttemptRecord {
		return stem.AttemptRecord{
			Attempt: rapid.Int().Draw(t, "attempt"), At: time.UnixMilli(rapid.Int64().Draw(t, "at")).UTC(),
			Worker: text.Draw(t, "worker"), Kind: kind.Draw(t, "kind"), Message: text.Draw(t, "message"), StackDigest: text.Draw(t, "digest"),
		}
	})
	states := []stem.State{stem.StateRunning, stem.StateRetrying, stem.StateSucceeded, stem.StateFailed, stem.StateCancelled}
	rapid.Check(t, func(t *rapid.T) {
		want := stem.Result{
			ID: rapid.StringMatching(`[!-~]{1,200}`).Draw(t, "id"), Task: rapid.StringMatching(`[!-~]{0,200}`).Draw(t, "task"),
			Queue: rapid.StringMatching(`[!-~]{0,200}`).Draw(t, "queue"), State: rapid.SampledFrom(states).Draw(t, "state"),
			Payload:  rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
			Delivery: rapid.Int64Min(0).Draw(t, "delivery"), Attempt: count.Draw(t, "attempt"),
			Interruptions: count.Draw(t, "interruptions"), Snoozes: count.Draw(t, "snoozes"), Releases: count.Draw(t, "releases"),
			History: rapid.SliceOfN(attempt, 0, stem.MaxHistory).Draw(t, "history"),
			Worker:  text.Draw(t, "worker"), Waited: span.Draw(t, "waited"), Ran: span.Draw(t, "ran"),
		}
		if rapid.Bool().Draw(t, "failed") {
			want.Failure = &stem.Failure{Kind: kind.Draw(t, "kind"), Message: text.Draw(t, "message"), Stack: text.Draw(t, "stack")}
		}
		if rapid.Bool().Draw(t, "reported") {
			want.Progress = &stem.ProgressReport{Percent: rapid.Float64Range(0, 100).Draw(t, "percent"), Message: text.Draw(t, "message")}
		}
		if rapid.Bool().Draw(t, "replayed") {
			want.Replays = &stem.Replays{
				Count: rapid.IntMin(1).Draw(t, "replays"), As: rapid.StringMatching(`[!-~]{1,200}`).Draw(t, "as"),
				At: time.UnixMilli(rapid.Int64().Draw(t, "at")).UTC(),
			}
		}
		data := stem.AppendResult(nil, &want)
		got, err := stem.ParseResult(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("parsed -, written +:\n%s", diff)
		}
		if again := stem.AppendResult(nil, &got); !bytes.Equal(again, data) {
			t.Fatalf("written again: got %x, want %x", again, data)
		}
	})
}

func TestAppendResultNeedsNoMemoryOfItsOwn(t *testing.T) {
	b := stem.AppendResult(nil, &fullResult)
	if got := testing.AllocsPerRun(100, func() { b = stem.AppendResult(b[:0], &fullResult) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestParseResultCopiesWhatItKeeps(t *testing.T) {
	data := stem.AppendResult(nil, &fullResult)
	got, err := stem.ParseResult(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if diff := cmp.Diff(got, fullResult); diff != "" {
		t.Errorf("after the bytes have changed: parsed -, written +:\n%s", diff)
	}
}

func TestParseResultSkipsWhatLaterVersionsAdd(t *testing.T) {
	tests := []struct {
		name, data string
		want       stem.Result
	}{
		{"a field", "9201de000301a16904a772756e6e696e67639180", stem.Result{}},
		{"more of a failure", "9201de000301a16904a772756e6e696e670694a165a16da173c3", stem.Result{Failure: &stem.Failure{Kind: "e", Message: "m", Stack: "s"}}},
		{"more of a report", "9201de000301a16904a772756e6e696e67079307a16d80", stem.Result{Progress: &stem.ProgressReport{Percent: 7, Message: "m"}}},
		{"more of a replay", "9201de000301a16904a772756e6e696e67119401a1720180",
			stem.Result{Replays: &stem.Replays{Count: 1, As: "r", At: time.UnixMilli(1).UTC()}}},
		{"more of an attempt", "9201de000301a16904a772756e6e696e670d91970101a177a165a16da16490",
			stem.Result{History: []stem.AttemptRecord{{Attempt: 1, At: time.UnixMilli(1).UTC(), Worker: "w", Kind: "e", Message: "m", StackDigest: "d"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := hex.DecodeString(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := stem.ParseResult(data)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.ID, tt.want.State = "i", stem.StateRunning
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

func TestParseResultKeepsTheNewestAttempts(t *testing.T) {
	long := stem.Result{ID: "i", State: stem.StateRetrying, History: make([]stem.AttemptRecord, 3*stem.MaxHistory)}
	for i := range long.History {
		long.History[i].Attempt = i + 1
	}
	got, err := stem.ParseResult(stem.AppendResult(nil, &long))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.History, long.History[2*stem.MaxHistory:]); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestParseResultRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", "offset 0"},
		{"no array", "a0", "want array, have str"},
		{"three elements", "9301de000201a16904a772756e6e696e67c0", "want an array of version and fields"},
		{"a newer version", "9202de0000", "version 2, this build reads version 1: update this program"},
		{"an announced map of 2^32 entries", "9201dfffffffff", "entries"},
		{"an announced payload of 4 GiB", "9201de000105c6ffffffff", "bytes"},
		{"a history of 2^32 attempts", "9201de00010dddffffffff", "elements"},
		{"a text for a count", "9201de000301a16904a772756e6e696e6709a131", "want int, have str"},
		{"a delivery beyond int64", "9201de000301a16904a772756e6e696e6708cfffffffffffffffff", "out of range"},
		{"trailing bytes", "9201de000201a16904a772756e6e696e6700", "trailing bytes"},
		{"an envelope", "9201de000301a16902a17403a171", `state ""`},
		{"no id", "9201de000104a772756e6e696e67", `id ""`},
		{"a state that is none of a record", "9201de000201a16904a770656e64696e67", `state "pending"`},
		{"a terminal escape for a state", "9201de000201a16904a21b5b", `state "\x1b["`},
		{"a terminal escape for a task", "9201de000301a16902a21b5b04a772756e6e696e67", "task name"},
		{"a terminal escape for a queue", "9201de000301a16903a21b5b04a772756e6e696e67", "queue"},
		{"a negative delivery", "9201de000301a16904a772756e6e696e6708ff", "delivery -1: want 0 or more"},
		{"a negative count of releases", "9201de000301a16904a772756e6e696e670cff", "releases -1: want 0 or more"},
		{"a replay that never was", "9201de000301a16904a772756e6e696e67119300a17201", "count of replays 0: want 1 or more"},
		{"a terminal escape for a replay", "9201de000301a16904a772756e6e696e67119301a21b5b01", "id of the replay"},
		{"a percentage that is no number", "9201de000301a16904a772756e6e696e670792cb7ff8000000000001a0", "progress NaN: want 0 to 100 percent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := hex.DecodeString(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			_, err = stem.ParseResult(data)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestParseResultAllocatesNoMoreThanItsBytesWarrant: a nil is an attempt too, of one byte.
func TestParseResultAllocatesNoMoreThanItsBytesWarrant(t *testing.T) {
	const nils = 1 << 20
	data, _ := hex.DecodeString("9201de000301a16904a772756e6e696e670ddd00100000")
	data = append(data, bytes.Repeat([]byte{0xc0}, nils)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := stem.ParseResult(data)
	runtime.ReadMemStats(&after)
	if err != nil || len(got.History) != stem.MaxHistory {
		t.Errorf("got %d attempts and error %v, want %d", len(got.History), err, stem.MaxHistory)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<17 {
		t.Errorf("got %d bytes allocated for %d, want at most %d", took, len(data), 1<<17)
	}
}

func FuzzParseResult(f *testing.F) {
	f.Add(stem.AppendResult(nil, &fullResult))
	f.Add(stem.AppendResult(nil, &stem.Result{ID: "i", State: stem.StateRunning, Failure: new(stem.Failure), Progress: new(stem.ProgressReport)}))
	f.Add([]byte{0x92, 1, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) { readTwice(t, stem.AppendResult, stem.ParseResult, data) })
}
