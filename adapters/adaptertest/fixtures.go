package adaptertest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// task gives a plain envelope, due at once in the one queue.
func task(id string, options ...func(e *stem.Envelope)) stem.Envelope {
	e := stem.Envelope{ID: id, Task: "exam.task", Queue: queue, Payload: blob([]byte(id)), MaxRetries: 3}
	for _, option := range options {
		option(&e)
	}
	return e
}

// tasks gives n plain envelopes with ids that sort in their order.
func tasks(prefix string, n int, options ...func(e *stem.Envelope)) []stem.Envelope {
	envs := make([]stem.Envelope, n)
	for i := range envs {
		envs[i] = task(fmt.Sprintf("%s-%03d", prefix, i), options...)
	}
	return envs
}

// named gives the ids of envelopes, in order.
func named(envs []stem.Envelope) []string {
	out := make([]string, len(envs))
	for i := range envs {
		out[i] = envs[i].ID
	}
	return out
}

func called(name string) func(*stem.Envelope)      { return func(e *stem.Envelope) { e.Task = name } }
func onQueue(name string) func(*stem.Envelope)     { return func(e *stem.Envelope) { e.Queue = name } }
func priority(p int) func(*stem.Envelope)          { return func(e *stem.Envelope) { e.Priority = p } }
func delay(d time.Duration) func(*stem.Envelope)   { return func(e *stem.Envelope) { e.Delay = d } }
func expires(d time.Duration) func(*stem.Envelope) { return func(e *stem.Envelope) { e.ExpiresIn = d } }
func visibility(d time.Duration) func(*stem.Envelope) {
	return func(e *stem.Envelope) { e.Visibility = d }
}
func payload(b []byte) func(*stem.Envelope) { return func(e *stem.Envelope) { e.Payload = b } }

func deduped(key string, window time.Duration) func(*stem.Envelope) {
	return func(e *stem.Envelope) { e.DedupeKey, e.DedupeWindow = key, window }
}

// blob encodes bytes as one MessagePack value, which is what a payload is.
func blob(b []byte) []byte {
	n := len(b)
	head := []byte{0xc6, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} // bin 32
	return append(head, b...)
}

// everyByte is a payload in which each byte value stands.
func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return blob(b)
}

// megabyte is a payload of 1 MiB, the largest that a client lets through by default.
func megabyte() []byte { return blob(bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)) }

// rough is a text as a reason, a failure or a mark may be: an escape that a
// terminal obeys, line ends, what quotes and formats, letters of several bytes.
const rough = "\x1b[2J\r\n\t'\";--{}%s$1\\ \u202e é 𝄞"

// hostile is a header: bytes that nothing on the way may take for text.
const hostile = "\x00\xff\xfe" + rough

// punctuation is every printable ASCII byte that is no letter and no digit.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
