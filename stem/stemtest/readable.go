package stemtest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// Readable gives one encoded value, such as the payload of an envelope or of a result, as text for a
// log or a golden file. It reads like JSON, but for times and bytes, which the wire knows too:
//
//	{"Cents": 1200, "At": 2026-01-02T03:04:05Z, "Key": 0xcafe}
//
// It does not know the types of Go, so a duration is its nanoseconds. Bytes that are no value
// are told to be none.
func Readable(payload []byte) string {
	if len(payload) == 0 {
		return "nothing"
	}
	var b strings.Builder
	r := codec.NewReader(payload)
	show(&b, &r)
	if err := r.Finish(); err != nil {
		return fmt.Sprintf("no MessagePack (%v): % x", err, payload[:min(len(payload), 32)])
	}
	return b.String()
}

// longestShort is how much of a payload a failure shows, in bytes.
const longestShort = 400

// short is Readable for the texts of failures.
func short(payload []byte) string {
	text := Readable(payload)
	if len(text) <= longestShort {
		return text
	}
	return strings.ToValidUTF8(text[:longestShort], "") + fmt.Sprintf("… (%d bytes)", len(payload))
}

func show(b *strings.Builder, r *codec.Reader) {
	switch r.Kind() {
	case codec.Map:
		n := r.EnterMap()
		showAll(b, r, "{", n, "}", func() { show(b, r); b.WriteString(": "); show(b, r) })
	case codec.Array:
		n := r.EnterArray()
		showAll(b, r, "[", n, "]", func() { show(b, r) })
	case codec.Str:
		b.WriteString(strconv.Quote(r.Str()))
	case codec.Bin:
		b.WriteString("0x" + hex.EncodeToString(r.Bytes()))
	case codec.Bool:
		b.WriteString(strconv.FormatBool(r.Bool()))
	case codec.Int:
		showInt(b, r.RawView())
	case codec.Float:
		b.WriteString(strconv.FormatFloat(r.Float64(), 'g', -1, 64))
	case codec.Ext:
		showExt(b, r.RawView())
	default:
		r.Skip() // nil, or what the reader says is wrong
		b.WriteString("null")
	}
}

func showAll(b *strings.Builder, r *codec.Reader, open string, n int, end string, one func()) {
	b.WriteString(open)
	for i := 0; i < n && !r.Failed(); i++ {
		if i > 0 {
			b.WriteString(", ")
		}
		one()
	}
	r.Leave()
	b.WriteString(end)
}

func showInt(b *strings.Builder, raw []byte) {
	r := codec.NewReader(raw)
	n := r.Int64()
	if !r.Failed() {
		b.WriteString(strconv.FormatInt(n, 10))
		return
	}
	r.Reset(raw)
	b.WriteString(strconv.FormatUint(r.Uint64(), 10))
}

func showExt(b *strings.Builder, raw []byte) {
	r := codec.NewReader(raw)
	at := r.Time()
	if !r.Failed() {
		b.WriteString(at.Format(time.RFC3339Nano))
		return
	}
	r.Reset(raw)
	id, data := r.Ext()
	fmt.Fprintf(b, "ext(%d, 0x%x)", id, data)
}
