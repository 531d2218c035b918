package codec_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

func sampleOrder() Order {
	return Order{
		ID:       "ord_01JFZ8Q2M7W4N6T8R0V2X4Z6B8",
		Customer: Customer{ID: 8_812_345, Name: "Ada Lovelace", Email: "ada@example.org", Home: Address{"12 St James's Square", "London", "SW1Y 4JH", "GB"}},
		Items: []Item{
			{"BK-00017", "Sketch of the Analytical Engine", 1, 4_999},
			{"PN-21001", "Fountain pen, fine nib", 2, 3_250},
			{"PP-00300", "Laid paper, 300 sheets", 12, 1_875},
		},
		Labels:    map[string]string{"channel": "web", "campaign": "spring-2026", "region": "emea", "tier": "gold"},
		Signature: bytes.Repeat([]byte{0x5a, 0x13, 0xc7, 0xee}, 8),
		CreatedAt: time.Date(2026, 3, 14, 15, 9, 26, 535_897_932, time.UTC),
		Patience:  90 * time.Second,
		Billing:   &Address{"1 Dorset Street", "London", "W1U 4EG", "GB"},
		Express:   true,
		Weight:    3.75,
		Status:    3,
		Total:     33_999,
	}
}

func TestSmoke(t *testing.T) {
	v := sampleOrder()
	b, _ := orderCodec.Encode(&v)
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(&v); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, buf.Bytes()) {
		t.Fatalf("got %q\nwant %q", b, buf.Bytes())
	}
	t.Log(len(b))
	var got Order
	if err := orderCodec.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, v); d != "" {
		t.Fatal(d)
	}
}
