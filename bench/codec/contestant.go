package main

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

//go:generate go run github.com/tinylib/msgp@v1.6.4 -file exemplar.go -o exemplar_msgp.go -io=false -tests=false -d newtime -d "timezone utc"

// A contestant encodes and decodes an Order. Encode appends to b, which is nil where
// the contestant is to allocate its own buffer.
type contestant struct {
	name   string
	encode func(b []byte, v *Order) ([]byte, error)
	decode func(data []byte, v *Order) error
}

// yardstick is the index of the contestant that the others are measured by.
const yardstick = 1

// contestants are all that are compared; the first is ours.
func contestants() []contestant {
	return []contestant{
		{"stem/codec", orderCodec.Append, orderCodec.Decode},
		{"tinylib/msgp", encodeTinylib, decodeTinylib},
		{"vmihailenco", encodeVmihailenco, decodeVmihailenco},
		{"encoding/json", encodeJSON, decodeJSON},
	}
}

func encodeTinylib(b []byte, v *Order) ([]byte, error) { return v.MarshalMsg(b) }

func decodeTinylib(data []byte, v *Order) error {
	_, err := v.UnmarshalMsg(data)
	return err
}

func encodeVmihailenco(b []byte, v *Order) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

func decodeVmihailenco(data []byte, v *Order) error { return msgpack.Unmarshal(data, v) }

func encodeJSON(b []byte, v *Order) ([]byte, error) {
	if b == nil {
		return json.Marshal(v)
	}
	buf := bytes.NewBuffer(b)
	err := json.NewEncoder(buf).Encode(v)
	return buf.Bytes(), err
}

func decodeJSON(data []byte, v *Order) error { return json.Unmarshal(data, v) }

// sampleOrder is what everybody carries: 638 bytes of MessagePack.
func sampleOrder() *Order {
	return &Order{
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
