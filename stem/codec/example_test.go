package codec_test

import (
	"fmt"

	"github.com/gostem/gostem/stem/codec"
)

// Values are appended one after the other, and read in the same order.
func Example() {
	var b []byte
	b = codec.AppendMapLen(b, 2)
	b = codec.AppendString(b, "name")
	b = codec.AppendString(b, "Stem")
	b = codec.AppendString(b, "cents")
	b = codec.AppendInt(b, 1250)

	r := codec.NewReader(b)
	for n := r.EnterMap(); n > 0; n-- {
		switch string(r.Key()) {
		case "name":
			fmt.Println(r.Str())
		case "cents":
			fmt.Println(r.Int64())
		default:
			r.Skip()
		}
	}
	r.Leave()
	fmt.Println(r.Finish())
	// Output:
	// Stem
	// 1250
	// <nil>
}

// An error tells where it met what. (Order and its codec stand for what stemgen
// writes; see exemplar_test.go.)
func ExampleError() {
	b := codec.AppendMapLen(nil, 1)
	b = codec.AppendString(b, "Items")
	b = codec.AppendArrayLen(b, 1)
	b = codec.AppendMapLen(b, 1)
	b = codec.AppendString(b, "price_cents")
	b = codec.AppendString(b, "free")

	var v Order
	fmt.Println(orderCodec.Decode(b, &v))
	// Output:
	// Items[0].price_cents: want int, have str at offset 21
}

// A payload that is encoded already travels as it is, if it is exactly one value.
func ExampleRawCodec() {
	whole := codec.Raw(codec.AppendString(nil, "hello"))
	half := whole[:3]

	b, err := codec.RawCodec().Append(nil, &whole)
	fmt.Printf("%q %v\n", b, err)
	_, err = codec.RawCodec().Append(nil, &half)
	fmt.Println(err)
	// Output:
	// "\xa5hello" <nil>
	// str of 5 bytes with 2 bytes left at offset 0
}

// A length is a promise of the sender's; memory is made for what comes.
func ExampleCap() {
	r := codec.NewReader([]byte("\x93\x01\x02\x03"))
	n := r.EnterArray()
	s := make([]int, codec.Cap[int](n))
	for i := range n {
		if i == len(s) {
			s = append(s, make([]int, n-i)...)
		}
		s[i] = r.Int()
	}
	r.Leave()
	fmt.Println(s, r.Finish())
	// Output: [1 2 3] <nil>
}
