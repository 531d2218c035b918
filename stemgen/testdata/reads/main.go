package main

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// A kind is the args of one task.
type kind struct {
	task    string
	samples []sample
	read    func(encoded []byte) (any, error)
}

// A sample is a value that is hard to read as another type.
type sample struct {
	value   any
	encoded []byte
}

func of[T any](task string, c codec.Codec[T], values ...T) kind {
	k := kind{task: task}
	for _, v := range append(values, *new(T)) {
		encoded, err := c.Append(nil, &v)
		if err != nil {
			panic(err)
		}
		k.samples = append(k.samples, sample{v, encoded})
	}
	k.read = func(encoded []byte) (any, error) {
		var v T
		err := c.Decode(encoded, &v)
		return v, err
	}
	return k
}

func main() {
	n := int32(math.MinInt32)
	kinds := []kind{
		of("take_a_bool", stemCodecABool, true),
		of("take_an_int8", stemCodecAnInt8, math.MinInt8, math.MaxInt8),
		of("take_an_int16", stemCodecAnInt16, math.MinInt16, math.MaxInt16),
		of("take_an_int32", stemCodecAnInt32, math.MinInt32, math.MaxInt32),
		of("take_an_int64", stemCodecAnInt64, math.MinInt64, math.MaxInt64),
		of("take_an_int", stemCodecAnInt, math.MinInt64, math.MaxInt64),
		of("take_a_uint8", stemCodecAUint8, math.MaxUint8),
		of("take_a_uint16", stemCodecAUint16, math.MaxUint16),
		of("take_a_uint32", stemCodecAUint32, math.MaxUint32),
		of("take_a_uint64", stemCodecAUint64, math.MaxUint64),
		of("take_a_uint", stemCodecAUint, math.MaxUint64),
		of("take_a_float32", stemCodecAFloat32, 1.5, math.MaxFloat32),
		of("take_a_float64", stemCodecAFloat64, 1.1, math.MaxFloat64),
		of("take_a_string", stemCodecAString, "four", "a longer text"),
		of("take_some_bytes", stemCodecBytes, Bytes{}, Bytes("four"), Bytes("more of them")),
		of("take_bytes2", stemCodecBytes2, Bytes2{1, 2}),
		of("take_bytes4", stemCodecBytes4, Bytes4{1, 2, 3, 4}),
		of("take_a_time", stemCodecATime, ATime(time.Unix(1<<35, 1))),
		of("take_a_duration", stemCodecADuration, math.MinInt64, math.MaxInt64),
		of("take_binary", stemCodecMarked, "with this"),
		of("take_text", stemCodecPointerInt, big.NewInt(-1), big.NewInt(math.MaxInt64)),
		of("take_ints", stemCodecInts, Ints{}, Ints{1, 2, 3, 4, 5}),
		of("take_bools", stemCodecBools, Bools{true, true}, Bools{true, true, true, true, true}),
		of("take_ints2", stemCodecInts2, Ints2{n, n}),
		of("take_ints4", stemCodecInts4, Ints4{n, n, n, n}),
		of("take_int_map", stemCodecIntMap, IntMap{}, IntMap{"A": n, "B": n, "C": n, "Kids": n}),
		of("take_long_map", stemCodecLongMap, LongMap{"A": math.MinInt64, "B": 1, "C": math.MinInt64}),
		of("take_text_map", stemCodecTextMap, TextMap{"A": "one", "B": "two", "C": "three"}),
		of("take_int_keys", stemCodecIntKeys, IntKeys{n: n}),
		of("take_bool_keys", stemCodecBoolKeys, BoolKeys{true: n}),
		of("take_empty", stemCodecEmpty),
		of("take_one", stemCodecOne, One{A: n}),
		of("take_two", stemCodecTwo, Two{A: math.MinInt64, B: "two"}),
		of("take_other", stemCodecOther, Other{C: n}),
		of("take_tree", stemCodecTree, Tree{A: n, Kids: []Tree{{}}}),
		of("take_optional", stemCodecPointerOptional, new(Optional), &Optional{A: &n}),
		of("take_own", stemCodecOwn, "ours"),
		of("take_any", stemCodecRaw, codec.Raw("\xc0"), codec.Raw("\xc2"), codec.Raw("\xa3any")),
		of("take_none", stem.NoneCodec()),
	}
	for _, old := range kinds {
		for _, now := range kinds {
			fmt.Println(old.task, now.task, reads(old, now))
		}
	}
}

// reads tells whether all samples of the old kind are read as the new one, and numbers
// as the same ones.
func reads(old, now kind) bool {
	for _, s := range old.samples {
		v, err := now.read(s.encoded)
		if err != nil || !sameNumber(reflect.ValueOf(s.value), reflect.ValueOf(v)) {
			return false
		}
	}
	return true
}

func sameNumber(a, b reflect.Value) bool {
	x, y := number(a), number(b)
	return x == nil || y == nil || x.Cmp(y) == 0
}

// number gives a number without loss, nil for anything else.
func number(v reflect.Value) *big.Float {
	f := new(big.Float).SetPrec(64)
	switch {
	case v.CanInt():
		return f.SetInt64(v.Int())
	case v.CanUint():
		return f.SetUint64(v.Uint())
	case v.CanFloat():
		return f.SetFloat64(v.Float())
	}
	return nil
}
