package codec_test

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gostem/gostem/stem/codec"
)

// seeds are inputs that lie on the borders of what is well formed, and a message of
// each codec of the generator's golden cases.
func seeds(f *testing.F) {
	f.Helper()
	for _, message := range samples(f) {
		f.Add(message)
	}
	order := sampleOrder()
	whole := oracle(f, &order)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(oracle(f, &Tree{Name: "root", Children: []Tree{{Name: "leaf"}, {Children: []Tree{}}}}))
	f.Add(append([]byte("\x81\xa5Items\xdc\x01\x00"), bytes.Repeat([]byte{0xc0}, 256)...))
	f.Add(append([]byte("\x81\xa6labels\xdf\x00\x00\x01\x00"), bytes.Repeat([]byte("\xa1k\xc0"), 256)...))
	f.Add(bytes.Repeat([]byte{0x91}, 80))
	f.Add(bytes.Repeat([]byte("\x82\xa1x\x82\xa8children\xdc\x00\x40"), 20))
	for _, s := range []string{
		"", "\xc0", "\xc1", "\x81\xa5Items\xdd\x80\x00\x00\x00", "\x81\xa9signature\xc6\xff\xff\xff\xff", "\x81\xc0\xc0",
		"\x81\xaacreated_at\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\xa6status\xd1\xff\x00", "\x81\xa6weight\xca\x7f\xc0\x00\x00",
	} {
		f.Add([]byte(s))
	}
}

// samples are the messages in testdata/samples.txt, which the generator's tests write:
// go test ./stemgen -update. A line is the codec's name and its message in quotes.
func samples(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/samples.txt")
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	for line := range strings.Lines(string(text)) {
		name, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		message, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		messages = append(messages, []byte(message))
	}
	if len(messages) == 0 {
		t.Fatal("there are no samples")
	}
	return messages
}

func TestSamplesAreValid(t *testing.T) {
	for _, message := range samples(t) {
		if err := codec.Valid(message); err != nil {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// FuzzReader holds generated code to its promises for any input: it does not panic,
// it allocates no more than the input can pay for, and what it accepts it writes and
// reads again unchanged.
func FuzzReader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		readBounded(t, data, orderCodec)
		readBounded(t, data, treeCodec)
	})
}

// readBounded reads a T from data, and fails t if that allocates more than 64 kB and,
// for each byte of data, 64 bytes and the largest element.
func readBounded[T any](t *testing.T, data []byte, c codec.Codec[T]) {
	var v T
	var err error
	got := allocated(func() { err = c.Decode(data, &v) })
	largest := max(unsafe.Sizeof(v), unsafe.Sizeof(Item{}))
	if most := (64+uint64(largest))*uint64(len(data)) + 64<<10; got > most {
		t.Errorf("%d bytes allocated for %d bytes of input, want at most %d", got, len(data), most)
	}
	if err != nil {
		return
	}
	once, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	var again T
	if err := c.Decode(once, &again); err != nil {
		t.Fatalf("what was written is not read: %v", err)
	}
	if twice, _ := c.Append(nil, &again); !bytes.Equal(once, twice) {
		t.Fatalf("written %x, then %x", once, twice)
	}
}

// FuzzSkip holds Skip to its promises for any input: it does not panic or allocate,
// and what it takes for a value the oracle takes for one too.
func FuzzSkip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		raw := r.RawView()
		if r.Failed() {
			return
		}
		if err := codec.Valid(raw); err != nil {
			t.Fatalf("skipped, but not valid: %v", err)
		}
		// The nesting is bounded by now, so the oracle may recurse.
		d := msgpack.NewDecoder(bytes.NewReader(data))
		peer, err := d.DecodeRaw()
		if err != nil || !bytes.Equal(peer, raw) {
			t.Fatalf("the oracle skips %x, %v, want %x", []byte(peer), err, raw)
		}
	})
}
