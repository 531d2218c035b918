package codec_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// oracle is v as vmihailenco/msgpack encodes it with compact ints and sorted keys:
// the definition of our wire.
func oracle(t testing.TB, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(v); err != nil {
		t.Fatalf("oracle: %v", err)
	}
	return buf.Bytes()
}

// sampleOrder fills each field; it takes 638 bytes.
func sampleOrder() Order {
	return Order{
		ID: "ord_01JFZ8Q2M7W4N6T8R0V2X4Z6B8",
		Customer: Customer{
			ID: 8_812_345, Name: "Ada Lovelace", Email: "ada@example.org",
			Home: Address{"12 St James's Square", "London", "SW1Y 4JH", "GB"},
		},
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

// orders draws orders of all sorts: long and empty strings, nil and empty slices and
// maps, numbers and times at the borders of their encodings.
func orders() *rapid.Generator[Order] {
	return rapid.Custom(func(t *rapid.T) Order {
		return Order{
			ID:        texts().Draw(t, "id"),
			Customer:  Customer{ints().Draw(t, "customer"), texts().Draw(t, "name"), texts().Draw(t, "email"), addresses().Draw(t, "home")},
			Items:     rapid.OneOf(rapid.Just([]Item(nil)), rapid.SliceOf(items())).Draw(t, "items"),
			Labels:    rapid.OneOf(rapid.Just(map[string]string(nil)), rapid.MapOf(texts(), texts())).Draw(t, "labels"),
			Signature: rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 300)).Draw(t, "signature"),
			CreatedAt: times().Draw(t, "created"),
			Patience:  time.Duration(ints().Draw(t, "patience")),
			Billing:   rapid.Ptr(addresses(), true).Draw(t, "billing"),
			Express:   rapid.Bool().Draw(t, "express"),
			Weight:    rapid.Float64().Draw(t, "weight"),
			Status:    Status(rapid.Uint8().Draw(t, "status")),
			Total:     ints().Draw(t, "total"),
		}
	})
}

func items() *rapid.Generator[Item] {
	return rapid.Custom(func(t *rapid.T) Item {
		return Item{texts().Draw(t, "sku"), texts().Draw(t, "title"), rapid.Int32().Draw(t, "quantity"), ints().Draw(t, "price")}
	})
}

func addresses() *rapid.Generator[Address] {
	return rapid.Custom(func(t *rapid.T) Address {
		return Address{texts().Draw(t, "street"), texts().Draw(t, "city"), texts().Draw(t, "zip"), texts().Draw(t, "country")}
	})
}

// texts draws strings on both sides of each length that has a header of its own.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]int{0, 1, 5, 31, 32, 255, 256, 65_535, 65_536}).Draw(t, "length")
		if n > 256 && rapid.IntRange(0, 9).Draw(t, "long") != 0 {
			n %= 50 // long ones are slow
		}
		return string(bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n))
	})
}

// ints draws any int64, mostly close to where the encoding changes.
func ints() *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		border := rapid.SampledFrom([]int64{0, -32, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, -1 << 7, -1 << 15, -1 << 31, -1 << 63}).Draw(t, "border")
		return border + rapid.Int64Range(-2, 2).Draw(t, "offset")
	})
}

// times draws times on both sides of each border between the three forms.
func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		border := rapid.SampledFrom([]int64{0, 1 << 32, 1 << 34, 1_773_500_966, -62_135_596_800}).Draw(t, "border")
		sec := border + rapid.Int64Range(-2, 2).Draw(t, "offset")
		nsec := rapid.SampledFrom([]int64{0, 1, 999_999_999}).Draw(t, "nanoseconds")
		return time.Unix(sec, nsec)
	})
}
