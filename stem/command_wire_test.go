package stem_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem"
)

// fullCommand and fullReply have every field set that goes over the wire.
var (
	fullCommand = stem.Command{
		ID: "c1", Verb: stem.CommandRevoke, Workers: []string{"web-7", "web-8"}, For: time.Minute, Queues: []string{"default"}, IDs: []string{"1", "2"},
		Family: true, Mode: stem.StopHard, Slots: 7, Actor: "ann@desk", Reason: "deploy", Signature: []byte{0, 255},
	}
	fullReply = stem.Reply{
		Command: "c1", Worker: "0197", Name: "web-7", Err: "no", Count: 2, HeldCount: 2,
		Stats: &stem.WorkerStats{
			Up: time.Hour, Slots: 1, InHand: 2, Running: 3, Succeeded: 4, Failed: 5, Cancelled: 6, Retried: 7, Snoozed: 8, Released: 9,
			Paused: []string{"bulk"}, Stopping: true, Goroutines: 10, CPUs: 11, HeapBytes: 12, SystemBytes: 1<<64 - 1, GCs: 14, Go: "go1.26",
		},
		Held: []stem.HeldTask{
			{ID: "1", Task: "t", Queue: "q", Attempt: 2, Since: time.Second, For: time.Millisecond, Progress: &stem.ProgressReport{Percent: 50, Message: "half"}},
			{ID: "2", Task: "t", Queue: "q", Attempt: 1, Since: 1},
		},
	}
)

// TestCommandBytesNeverChange pins the wire format: workers of several builds read the same commands.
func TestCommandBytesNeverChange(t *testing.T) {
	for name, tt := range map[string]struct {
		c    stem.Command
		want string
	}{
		"smallest": {stem.Command{ID: "i", Verb: "ping", For: time.Second}, "9201de000301a16902a470696e6704cd03e8"},
		"full":     {fullCommand, "9201de000c01a2633102a67265766f6b650392a57765622d37a57765622d3804cdea600591a764656661756c740692a131a1320701080309070aa8616e6e406465736b0ba66465706c6f790cc40200ff"},
	} {
		t.Run(name, func(t *testing.T) { pinned(t, stem.AppendCommand, stem.ParseCommand, tt.c, tt.want) })
	}
	plainMessagePack(t, stem.AppendCommand(nil, &fullCommand), 12)
}

func TestReplyBytesNeverChange(t *testing.T) {
	for name, tt := range map[string]struct {
		r    stem.Reply
		want string
	}{
		"smallest": {stem.Reply{Command: "i", Worker: "w"}, "9201de000201a16902a177"},
		"full":     {fullReply, "9201de000801a2633102a43031393703a57765622d3704a26e6f050206dc0012cf0000034630b8a00001020304050607080991a462756c6bc30a0b0ccfffffffffffffffff0ea6676f312e32360702089297a131a174a17102ce3b9aca00ce000f424092cb4049000000000000a468616c6696a132a174a171010100"},
	} {
		t.Run(name, func(t *testing.T) { pinned(t, stem.AppendReply, stem.ParseReply, tt.r, tt.want) })
	}
	plainMessagePack(t, stem.AppendReply(nil, &fullReply), 8)
}

func TestWhatIsNoCommandIsRefused(t *testing.T) {
	whole, reply := stem.AppendCommand(nil, &fullCommand), stem.AppendReply(nil, &fullReply)
	endless := fullCommand
	endless.For = 0
	for name, data := range map[string][]byte{
		"nothing": nil, "half": whole[:len(whole)/2], "more": append(whole, 0), "of a later version": {0x92, 2, 0x80},
		"without a time": stem.AppendCommand(nil, &endless), "a reply": reply,
	} {
		if got, err := stem.ParseCommand(data); err == nil || !strings.HasPrefix(err.Error(), "stem: parse command: ") {
			t.Errorf("%s: got %+v and error %v, want an error that tells what is read", name, got, err)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "half": reply[:len(reply)/2], "more": append(reply, 0), "of a later version": {0x92, 2, 0x80},
		"without a worker": stem.AppendReply(nil, &stem.Reply{Command: "c"}),
	} {
		if got, err := stem.ParseReply(data); err == nil || !strings.HasPrefix(err.Error(), "stem: parse reply: ") {
			t.Errorf("%s: got %+v and error %v, want an error that tells what is read", name, got, err)
		}
	}
}

// A later version may say more; an older one reads what it knows.
func TestAReplyOfALaterBuildIsRead(t *testing.T) {
	stats := []any{5, 1, 2, 3, 4, 5, 6, 7, 8, 9, []any{}, false, 1, 1, 1, 1, 1, "go", "more"}
	later, err := msgpack.Marshal([]any{1, map[int]any{1: "c", 2: "w", 6: stats, 8: []any{[]any{"1", "t", "q", 1, 5, 0, []any{1.5, "m"}, "more"}}, 200: "news"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stem.ParseReply(later)
	want := stem.Reply{
		Command: "c", Worker: "w",
		Stats: &stem.WorkerStats{
			Up: 5, Slots: 1, InHand: 2, Running: 3, Succeeded: 4, Failed: 5, Cancelled: 6, Retried: 7, Snoozed: 8, Released: 9,
			Goroutines: 1, CPUs: 1, HeapBytes: 1, SystemBytes: 1, GCs: 1, Go: "go",
		},
		Held: []stem.HeldTask{{ID: "1", Task: "t", Queue: "q", Attempt: 1, Since: 5, Progress: &stem.ProgressReport{Percent: 1.5, Message: "m"}}},
	}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("error %v, parsed -, want +:\n%s", err, diff)
	}
}

// A command of which a part is read would be obeyed by those that are not meant.
func TestACommandIsBounded(t *testing.T) {
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, change := range map[string]func(c *stem.Command){
		"no id": func(c *stem.Command) { c.ID = "" }, "no verb": func(c *stem.Command) { c.Verb = "" }, "for ever": func(c *stem.Command) { c.For = 25 * time.Hour },
		"too many workers": func(c *stem.Command) { c.Workers = many }, "too many ids": func(c *stem.Command) { c.IDs = many },
		"a worker without a name": func(c *stem.Command) { c.Workers = []string{"a", ""} }, "a queue that is none": func(c *stem.Command) { c.Queues = []string{"a b"} },
		"a long reason": func(c *stem.Command) { c.Reason = strings.Repeat("x", 1025) },
	} {
		c := fullCommand
		change(&c)
		var option *stem.OptionError
		if err := c.Validate(); !errors.As(err, &option) {
			t.Errorf("%s: got error %v, want an *OptionError", name, err)
		}
		if _, err := stem.ParseCommand(stem.AppendCommand(nil, &c)); !errors.As(err, &option) {
			t.Errorf("%s, read: got error %v, want an *OptionError", name, err)
		}
	}
	if err := fullCommand.Validate(); err != nil {
		t.Errorf("a whole one: got error %v, want none", err)
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add(stem.AppendCommand(nil, &fullCommand))
	f.Add(stem.AppendReply(nil, &fullReply))
	f.Fuzz(func(t *testing.T, data []byte) {
		readTwice(t, stem.AppendCommand, stem.ParseCommand, data)
		readTwice(t, stem.AppendReply, stem.ParseReply, data)
	})
}
