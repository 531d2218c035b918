package codec

// Carried is a pointer to a type that bears //stem:codec: stemgen writes the method. The
// method gives the codec of that very type, so that a struct which merely embeds it is not
// taken for one that has a codec of its own.
type Carried[T any] interface {
	*T
	MsgpackCodec() Codec[T]
}

// For gives the codec of a type that bears //stem:codec, for a definition that is written by
// hand or for anything else that keeps values as bytes:
//
//	codec.For[Event]()
//
// The compiler finds P itself. Where it says that T does not satisfy Carried, the directive is
// missing or go generate has not run.
func For[T any, P Carried[T]]() Codec[T] { return P(nil).MsgpackCodec() }
