package stemtest_test

import (
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/examples/events"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/reflectcodec"
	"github.com/gostem/gostem/stem/stemtest"
)

func TestWhatSurvivesTheWireIsGivenBack(t *testing.T) {
	if got := stemtest.RoundTrip(t, hello.Hello.ArgsCodec(), hello.HelloArgs{Name: "Ann"}); got.Name != "Ann" {
		t.Errorf("got %+v, want Ann", got)
	}
	paid := events.OrderPaid{OrderID: "o-7", Cents: 1250, At: time.Now()} // not UTC, and with a monotonic reading
	if got := stemtest.RoundTrip(t, codec.For[events.OrderPaid](), paid); !got.At.Equal(paid.At) {
		t.Errorf("got %+v, want %+v", got, paid)
	}
	stemtest.RoundTrip(t, reflectcodec.Of[map[string][]float64](), map[string][]float64{"a": {1, math.NaN()}, "b": nil})
	stemtest.RoundTrip(t, reflectcodec.Of[*int](), nil)
	type sparse struct {
		Tags []string `msgpack:",omitempty"`
	}
	stemtest.RoundTrip(t, reflectcodec.Of[sparse](), sparse{Tags: []string{}})
	stemtest.RoundTrip(t, reflectcodec.Of[map[string]netip.Addr](), map[string]netip.Addr{"a": netip.MustParseAddr("::1")})
	stemtest.RoundTrip(t, reflectcodec.Of[*big.Int](), big.NewInt(1).Lsh(big.NewInt(1), 100))
}

type secretive struct {
	Name   string
	Items  []item
	secret string
}

type item struct {
	Price float64 `msgpack:"-"`
}

func TestWhatTheWireChangesIsTold(t *testing.T) {
	tests := []struct {
		promise string
		test    func(t testing.TB)
		want    string
	}{
		{"an unexported field", func(t testing.TB) {
			stemtest.RoundTrip(t, reflectcodec.Of[secretive](), secretive{Name: "Ann", secret: "x"})
		}, `stemtest: the wire changes a stemtest_test.secretive: .secret is "x", behind it ""`},
		{"a field that is left out, deep inside", func(t testing.TB) {
			stemtest.RoundTrip(t, reflectcodec.Of[secretive](), secretive{Items: []item{{}, {Price: 1.5}}})
		}, `stemtest: the wire changes a stemtest_test.secretive: .Items[1].Price is 1.5, behind it 0`},
		{"an entry that is lost", func(t testing.TB) {
			c := reflectcodec.Of[map[string]int]()
			read := c.Read
			c.Read = func(r *codec.Reader, v *map[string]int) { read(r, v); delete(*v, "b"); (*v)["c"] = 1 }
			stemtest.RoundTrip(t, c, map[string]int{"b": 1})
		}, "stemtest: the wire changes a map[string]int: [b] is missing behind it"},
		{"a pointer that gets lost", func(t testing.TB) {
			c := reflectcodec.Of[*int]()
			c.Read = func(r *codec.Reader, v **int) { r.Skip(); *v = new(int) }
			var none *int
			stemtest.RoundTrip(t, c, none)
		}, "stemtest: the wire changes a *int: it is (*int)(nil), behind it (*int)(0x"},
		{"a time that is cut", func(t testing.TB) {
			c := codec.Codec[time.Time]{
				Append: func(b []byte, v *time.Time) ([]byte, error) { return codec.AppendInt(b, v.Unix()), nil },
				Read:   func(r *codec.Reader, v *time.Time) { *v = time.Unix(r.Int64(), 0).UTC() },
			}
			stemtest.RoundTrip(t, c, time.Unix(7, 500).UTC())
		}, "stemtest: the wire changes a time.Time: it is time.Date(1970, time.January, 1, 0, 0, 7, 500, time.UTC), behind it time.Date(1970, time.January, 1, 0, 0, 7, 0, time.UTC)"},
		{"what cannot be read again", func(t testing.TB) {
			c := codec.Codec[string]{Append: text.Append, Read: func(r *codec.Reader, _ *string) { r.Fail(errors.New("no")) }}
			stemtest.RoundTrip(t, c, "x")
		}, `stemtest: a string does not survive the wire: no at offset 0; it is "x"`},
		{"a codec that is none", func(t testing.TB) {
			stemtest.RoundTrip(t, codec.Codec[string]{}, "x")
		}, `stemtest: a string: the codec is zero: take that of a definition, or codec.For`},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			if got := failureOf(t, tt.test); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
