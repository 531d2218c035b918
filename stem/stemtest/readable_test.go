package stemtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

func TestPayloadsAreReadable(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	order := codec.AppendMapLen(nil, 3)
	order = codec.AppendInt(codec.AppendString(order, "Cents"), -1200)
	order = codec.AppendArrayLen(codec.AppendString(order, "Lines"), 2)
	order = codec.AppendNil(codec.AppendFloat64(order, 1.5))
	order = codec.AppendTime(codec.AppendString(order, "At"), at)
	for _, tt := range []struct {
		promise string
		payload []byte
		want    string
	}{
		{"a struct reads like JSON", order, `{"Cents": -1200, "Lines": [1.5, null], "At": 2026-01-02T03:04:05.0000006Z}`},
		{"a large integer has all its digits", codec.AppendUint(nil, math.MaxUint64), "18446744073709551615"},
		{"bytes are hexadecimal", codec.AppendBytes(nil, []byte{0xca, 0xfe}), "0xcafe"},
		{"a bool is one", codec.AppendBool(nil, true), "true"},
		{"another ext tells its number", codec.AppendExt(nil, 7, []byte{1}), "ext(7, 0x01)"},
		{"no payload is nothing", nil, "nothing"},
		{"what is no MessagePack says so", []byte{0xc1, 0x02}, "no MessagePack (want value, have invalid byte at offset 0): c1 02"},
		{"what is cut short says so", order[:9], "no MessagePack (want int, have int cut short at offset 7): 83 a5 43 65 6e 74 73 d1 fb"},
		{"a long one is cut", codec.AppendString(nil, strings.Repeat("x", 1000)), `"` + strings.Repeat("x", 399) + "… (1003 bytes)"},
	} {
		if got := short(tt.payload); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.promise, got, tt.want)
		}
	}
	if got, want := Readable(codec.AppendString(nil, strings.Repeat("x", 1000))), `"`+strings.Repeat("x", 1000)+`"`; got != want {
		t.Errorf("got %s, want all of it", got)
	}
}
