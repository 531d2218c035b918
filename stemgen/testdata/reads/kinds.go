// Program reads tells which args of its tasks can be read as those of which others.
package main

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

type (
	ABool     bool
	AnInt8    int8
	AnInt16   int16
	AnInt32   int32
	AnInt64   int64
	AnInt     int
	AUint8    uint8
	AUint16   uint16
	AUint32   uint32
	AUint64   uint64
	AUint     uint
	AFloat32  float32
	AFloat64  float64
	AString   string
	Bytes     []byte
	Bytes2    [2]byte
	Bytes4    [4]byte
	ATime     time.Time
	ADuration time.Duration
	Ints      []int32
	Bools     []bool
	Ints2     [2]int32
	Ints4     [4]int32
	IntMap    map[string]int32
	LongMap   map[string]int64
	TextMap   map[string]string
	IntKeys   map[int32]int32
	BoolKeys  map[bool]int32
	Empty     struct{}
	One       struct{ A int32 }
	Two       struct {
		A int64
		B string
	}
	Other struct{ C int32 }
	Tree  struct {
		A    int32
		Kids []Tree
	}
	Optional struct{ A *int32 }
)

// Marked has a form of its own, which nothing else has.
type Marked string

func (m Marked) MarshalBinary() ([]byte, error) { return []byte("marked " + m), nil }

func (m *Marked) UnmarshalBinary(data []byte) error {
	if !bytes.HasPrefix(data, []byte("marked ")) {
		return errors.New("not marked")
	}
	*m = Marked(bytes.TrimPrefix(data, []byte("marked ")))
	return nil
}

// Own writes itself as nothing else is written.
type Own string

func (o Own) MarshalMsgpack() ([]byte, error) { return codec.AppendExt(nil, 5, []byte(o)), nil }

func (o *Own) UnmarshalMsgpack(encoded []byte) error {
	r := codec.NewReader(encoded)
	id, data := r.Ext()
	if id != 5 {
		return errors.New("not Own")
	}
	*o = Own(data)
	return r.Finish()
}

//stem:task
func takeOwn(ctx context.Context, args Own) error { return nil }

//stem:task
func takeAny(ctx context.Context, args codec.Raw) error { return nil }

//stem:task
func takeABool(ctx context.Context, args ABool) error { return nil }

//stem:task
func takeAnInt8(ctx context.Context, args AnInt8) error { return nil }

//stem:task
func takeAnInt16(ctx context.Context, args AnInt16) error { return nil }

//stem:task
func takeAnInt32(ctx context.Context, args AnInt32) error { return nil }

//stem:task
func takeAnInt64(ctx context.Context, args AnInt64) error { return nil }

//stem:task
func takeAnInt(ctx context.Context, args AnInt) error { return nil }

//stem:task
func takeAUint8(ctx context.Context, args AUint8) error { return nil }

//stem:task
func takeAUint16(ctx context.Context, args AUint16) error { return nil }

//stem:task
func takeAUint32(ctx context.Context, args AUint32) error { return nil }

//stem:task
func takeAUint64(ctx context.Context, args AUint64) error { return nil }

//stem:task
func takeAUint(ctx context.Context, args AUint) error { return nil }

//stem:task
func takeAFloat32(ctx context.Context, args AFloat32) error { return nil }

//stem:task
func takeAFloat64(ctx context.Context, args AFloat64) error { return nil }

//stem:task
func takeAString(ctx context.Context, args AString) error { return nil }

//stem:task
func takeSomeBytes(ctx context.Context, args Bytes) error { return nil }

//stem:task
func takeBytes2(ctx context.Context, args Bytes2) error { return nil }

//stem:task
func takeBytes4(ctx context.Context, args Bytes4) error { return nil }

//stem:task
func takeATime(ctx context.Context, args ATime) error { return nil }

//stem:task
func takeADuration(ctx context.Context, args ADuration) error { return nil }

//stem:task
func takeBinary(ctx context.Context, args Marked) error { return nil }

//stem:task
func takeText(ctx context.Context, args *big.Int) error { return nil }

//stem:task
func takeInts(ctx context.Context, args Ints) error { return nil }

//stem:task
func takeBools(ctx context.Context, args Bools) error { return nil }

//stem:task
func takeInts2(ctx context.Context, args Ints2) error { return nil }

//stem:task
func takeInts4(ctx context.Context, args Ints4) error { return nil }

//stem:task
func takeIntMap(ctx context.Context, args IntMap) error { return nil }

//stem:task
func takeLongMap(ctx context.Context, args LongMap) error { return nil }

//stem:task
func takeTextMap(ctx context.Context, args TextMap) error { return nil }

//stem:task
func takeIntKeys(ctx context.Context, args IntKeys) error { return nil }

//stem:task
func takeBoolKeys(ctx context.Context, args BoolKeys) error { return nil }

//stem:task
func takeEmpty(ctx context.Context, args Empty) error { return nil }

//stem:task
func takeOne(ctx context.Context, args One) error { return nil }

//stem:task
func takeTwo(ctx context.Context, args Two) error { return nil }

//stem:task
func takeOther(ctx context.Context, args Other) error { return nil }

//stem:task
func takeTree(ctx context.Context, args Tree) error { return nil }

//stem:task
func takeOptional(ctx context.Context, args *Optional) error { return nil }

//stem:task
func takeNone(ctx context.Context) error { return nil }
