package stem_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem"
)

// fullWorker has every field set that goes over the wire.
var fullWorker = stem.WorkerInfo{
	ID: "0197a1b2-0000-7000-8000-000000000001", Name: "web-7", Host: "web-7.example", PID: 4711, Version: "v1.2.3", Revision: "c0ffee+dirty",
	Up: time.Hour, Stopped: true, Queues: []string{"critical", "default"}, Slots: 20, InHand: 40, RunningCount: 2,
	Running:   []stem.RunningTask{{ID: "1", Task: "demo.hello", For: time.Minute}, {ID: "2", Task: "demo.bye"}},
	TaskCount: 2, Tasks: []stem.TaskSchema{{Task: "demo.bye"}, {Task: "demo.hello", Fingerprint: 1<<64 - 1}},
	Rates: []float64{0, 12.5}, Paused: []string{"critical"},
}

// TestWorkerBytesNeverChange pins the wire format: these bytes lie in stores.
func TestWorkerBytesNeverChange(t *testing.T) {
	tests := []struct {
		name string
		i    stem.WorkerInfo
		want string
	}{
		{"smallest", stem.WorkerInfo{ID: "i"}, "9201de000101a169"},
		{"full", fullWorker, fullWorkerBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { pinned(t, stem.AppendWorkerInfo, stem.ParseWorkerInfo, tt.i, tt.want) })
	}
}

const fullWorkerBytes = "9201de001101d92430313937613162322d303030302d373030302d383030302d30303030303030303030303102a57765622d3703ad7765622d372e6578616d706c6504cd126705a676312e322e3306ac6330666665652b646972747907cf0000034630b8a00008010992a8637269746963616ca764656661756c740a140b280c020d9293a131aa64656d6f2e68656c6c6fcf0000000df847580093a132a864656d6f2e627965000e020f9292a864656d6f2e6279650092aa64656d6f2e68656c6c6fcfffffffffffffffff1092cb0000000000000000cb40290000000000001191a8637269746963616c"

func TestAWorkerIsPlainMessagePack(t *testing.T) {
	plainMessagePack(t, stem.AppendWorkerInfo(nil, &fullWorker), 17)
}

// For is how long the store keeps it, and Seen is the store's own.
func TestAWorkerOnTheWireSaysNothingOfTheStore(t *testing.T) {
	kept := fullWorker
	kept.For, kept.Seen = time.Hour, time.Unix(1, 0)
	if got, want := stem.AppendWorkerInfo(nil, &kept), stem.AppendWorkerInfo(nil, &fullWorker); string(got) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestWhatIsNoWorkerIsRefused(t *testing.T) {
	whole := stem.AppendWorkerInfo(nil, &fullWorker)
	for name, data := range map[string][]byte{
		"nothing": nil, "half": whole[:len(whole)/2], "more": append(whole, 0),
		"of a later version": {0x92, 2, 0x80}, "without an id": stem.AppendWorkerInfo(nil, &stem.WorkerInfo{Name: "w"}),
	} {
		if got, err := stem.ParseWorkerInfo(data); err == nil || !strings.HasPrefix(err.Error(), "stem: parse worker: ") {
			t.Errorf("%s: got %+v and error %v, want an error that tells what is read", name, got, err)
		}
	}
}

// A later version may say more; an older one reads what it knows.
func TestAWorkerOfALaterBuildIsRead(t *testing.T) {
	later, err := msgpack.Marshal([]any{1, map[int]any{1: "i", 2: "w", 9: []any{"q"}, 13: []any{[]any{"1", "t", 5, "more"}}, 15: []any{[]any{"t", 7, true}}, 200: "news"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stem.ParseWorkerInfo(later)
	want := stem.WorkerInfo{ID: "i", Name: "w", Queues: []string{"q"}, Running: []stem.RunningTask{{ID: "1", Task: "t", For: 5}}, Tasks: []stem.TaskSchema{{Task: "t", Fingerprint: 7}}}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("error %v, parsed -, want +:\n%s", err, diff)
	}
}

// An entry of empty tasks takes 3 bytes each on the wire and forty in memory.
func TestListsOfAWorkerAreBounded(t *testing.T) {
	long := stem.WorkerInfo{ID: "i", Queues: make([]string, 50_000), Running: make([]stem.RunningTask, 50_000), Tasks: make([]stem.TaskSchema, 50_000)}
	data := stem.AppendWorkerInfo(nil, &long)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := stem.ParseWorkerInfo(data)
	runtime.ReadMemStats(&after)
	if sizes := fmt.Sprint(len(got.Queues), len(got.Running), len(got.Tasks)); err != nil || sizes != "1000 100 1000" {
		t.Errorf("got %s and error %v, want 1000 100 1000", sizes, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<17 {
		t.Errorf("got %d bytes allocated for %d, want at most %d", took, len(data), 1<<17)
	}
}

func FuzzParseWorkerInfo(f *testing.F) {
	f.Add(stem.AppendWorkerInfo(nil, &fullWorker))
	f.Add([]byte{0x92, 1, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) { readTwice(t, stem.AppendWorkerInfo, stem.ParseWorkerInfo, data) })
}
