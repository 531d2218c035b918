package codec

// The first bytes of MessagePack values, as the specification names them:
// https://github.com/msgpack/msgpack/blob/master/spec.md
const (
	posFixintMax = 0x7f
	fixmap       = 0x80
	fixarray     = 0x90
	fixstr       = 0xa0
	nilCode      = 0xc0
	falseCode    = 0xc2
	trueCode     = 0xc3
	bin8         = 0xc4
	bin16        = 0xc5
	bin32        = 0xc6
	ext8         = 0xc7
	ext16        = 0xc8
	ext32        = 0xc9
	float32Code  = 0xca
	float64Code  = 0xcb
	uint8Code    = 0xcc
	uint16Code   = 0xcd
	uint32Code   = 0xce
	uint64Code   = 0xcf
	int8Code     = 0xd0
	int16Code    = 0xd1
	int32Code    = 0xd2
	int64Code    = 0xd3
	fixext1      = 0xd4
	fixext2      = 0xd5
	fixext4      = 0xd6
	fixext8      = 0xd7
	fixext16     = 0xd8
	str8         = 0xd9
	str16        = 0xda
	str32        = 0xdb
	array16      = 0xdc
	array32      = 0xdd
	map16        = 0xde
	map32        = 0xdf
	negFixintMin = 0xe0
)

// A Kind is what sort of value comes next in a [Reader].
type Kind uint8

// The kinds of MessagePack values. End stands for the end of the input, Invalid
// for the one byte that begins no value.
const (
	End Kind = iota
	Invalid
	Nil
	Bool
	Int
	Float
	Str
	Bin
	Array
	Map
	Ext
)

// String gives the kind's name as it stands in errors, such as "str".
func (k Kind) String() string {
	switch k {
	case End:
		return "end of input"
	case Nil:
		return "nil"
	case Bool:
		return "bool"
	case Int:
		return "int"
	case Float:
		return "float"
	case Str:
		return "str"
	case Bin:
		return "bin"
	case Array:
		return "array"
	case Map:
		return "map"
	case Ext:
		return "ext"
	default:
		return "invalid byte"
	}
}

// kindOf tells the kind of the value that begins with c.
func kindOf(c byte) Kind {
	switch {
	case c <= posFixintMax, c >= negFixintMin:
		return Int
	case c < fixarray:
		return Map
	case c < fixstr:
		return Array
	case c < nilCode:
		return Str
	}
	switch c {
	case nilCode:
		return Nil
	case falseCode, trueCode:
		return Bool
	case bin8, bin16, bin32:
		return Bin
	case float32Code, float64Code:
		return Float
	case str8, str16, str32:
		return Str
	case array16, array32:
		return Array
	case map16, map32:
		return Map
	case uint8Code, uint16Code, uint32Code, uint64Code, int8Code, int16Code, int32Code, int64Code:
		return Int
	case ext8, ext16, ext32, fixext1, fixext2, fixext4, fixext8, fixext16:
		return Ext
	}
	return Invalid
}

// headerSize is the number of bytes from which a value's kind and length are known,
// for one that begins as b does; for an int or a float it is all of them. It is 0
// where b is empty.
func headerSize(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case uint8Code, int8Code, bin8, str8, fixext1, fixext2, fixext4, fixext8, fixext16:
		return 2
	case uint16Code, int16Code, bin16, str16, array16, map16, ext8:
		return 3
	case uint32Code, int32Code, float32Code, bin32, str32, array32, map32:
		return 5
	case uint64Code, int64Code, float64Code:
		return 9
	case ext16:
		return 4
	case ext32:
		return 6
	}
	return 1
}
