package stemgen

import (
	"go/token"
	"slices"
	"time"
)

// The model is what a run knows about a package once go/types has had its say:
// plain data, enough to check and to render.

// A Package is a Go package with tasks, or with types that have codecs.
type Package struct {
	Path, Name string
	Tasks      []*Task
	Codecs     []*Type // those that bear //stem:codec
	Types      []*Type // those that have functions of their own, in the order of first need
	Guards     []Guard // what the types of this module among them were made of
	Taken      Names   // names that the package's author has declared
}

// carried gives the types that tasks take and give, each once.
func (p *Package) carried() []*Type {
	var all []*Type
	for _, task := range p.Tasks {
		for _, t := range []*Type{task.Args, task.Result} {
			if t != nil && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// withCodec gives the types that have a codec: those that are carried, and those that bear
// //stem:codec.
func (p *Package) withCodec() []*Type {
	all := p.carried()
	for _, t := range p.Codecs {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// Names tells where names are declared.
type Names map[string]token.Position

// A Task is a function that bears a directive.
type Task struct {
	Name     string         // "demo.hello"
	NamePos  token.Position // of name=, else of the directive
	Doc      string         // the function's own doc comment
	Source   string         // "hello.go:12"
	Var      string         // the definition's variable
	VarPos   token.Position // of var=, else of the function's name
	Func     Func
	Args     *Type // nil where the function takes none
	Result   *Type // nil where it gives only an error
	ArgsType *ArgsType
	Enqueue  string // the package-level function to write as well, or ""
	Options  Options
	Schema   TaskSchema
}

// A TaskSchema is what an envelope, and a worker, know of the args.
type TaskSchema struct {
	Fingerprint uint64
	Older       []uint64 // of earlier args that are still read, the oldest first
}

// A Func is the function behind a task, as its author declared it.
type Func struct {
	Name     string
	Pos      token.Position
	Receiver *Receiver // nil for a plain function
	Params   []GoType  // after the context
	Result   *GoType   // before the error
}

// A Receiver is what a method hangs on.
type Receiver struct {
	Name string // as in the declaration, else made from the type's
	Type GoType // Mailer or *Mailer
	Base string // Mailer
}

// An ArgsType is the struct that is written for a function of several parameters.
type ArgsType struct {
	Name   string
	Pos    token.Position // of args=, else of the function's name
	Fields []ArgsField
}

// An ArgsField is one parameter as a field.
type ArgsField struct {
	Name string // UserID
	Wire string // userID, the parameter's own name
	Type *Type
}

// Options are what a directive asks for. Each zero value stands for the runtime's
// default.
type Options struct {
	Name        string
	Aliases     []Listed // names that the task had before
	Queue       string
	Priority    *int
	Retries     *int
	RetryFor    time.Duration
	Backoff     *Backoff
	Timeout     time.Duration
	SoftTimeout time.Duration
	Heartbeat   time.Duration
	Expires     time.Duration
	Visibility  time.Duration
	Rate        *Rate
	Burst       *int
	LimitHeader string // the header that is the key of the rate; a field of the args is in ArgsFields
	Concurrency *int
	Unique      *Unique
	OnConflict  string // "existing", "replace" or "error"; empty where nothing is said
	Tags        []Listed
	Var         string
	Args        string
	Func        string
	ArgsFields  []FieldRef // fields of the args that options name

	Places map[string]token.Position // of the value of each option that is set
}

// A Listed is one entry of an option that is a list.
type Listed struct {
	Text string
	Pos  token.Position
}

// A FieldRef is a field of the args that an option names, in Go or on the wire.
type FieldRef struct {
	Option string // limit-key
	Name   string // TenantID
	Pos    token.Position
	Wire   string // tenant_id, once checkOptions has found it
}

// A Unique is until when a task is the only one of its kind.
type Unique struct {
	Until string        // "until-done" or "until-started"
	For   time.Duration // where Until is empty
}

// A Rate is so many in a time.
type Rate struct {
	Count int
	Per   time.Duration
}

// A Backoff is how retries are spaced.
type Backoff struct {
	Shape string // "fixed", "linear" or "exp"
	Base  time.Duration
	Cap   time.Duration // 0 for fixed
}

// A Kind is a way in which a Go type travels.
type Kind int

// The kinds. Those from Text on have functions of their own in the generated file;
// the code of the others stands in line.
const (
	Bool Kind = iota
	Int
	Int8
	Int16
	Int32
	Int64
	Uint
	Uint8
	Uint16
	Uint32
	Uint64
	Float32
	Float64
	String
	Bytes     // []byte, as bin
	ByteArray // [N]byte, as bin
	Time
	Duration
	ByteEnums     // a slice of a named uint8, as bin
	ByteEnumArray // an array of a named uint8, as bin
	Pointer       // nil, or what it points to
	Text          // by MarshalText and UnmarshalText
	Binary        // by MarshalBinary and UnmarshalBinary
	Custom        // by EncodeMsgpack and DecodeMsgpack
	Msgpack       // by MarshalMsgpack and UnmarshalMsgpack
	Raw           // is encoded already
	Struct
	Slice
	Array
	Map
)

// A Type is a Go type and how it travels. Types may refer to themselves through
// Elem and Fields.
type Type struct {
	Kind       Kind
	Go         GoType
	Defined    bool   // a scalar or time of a type of its own, which takes conversions
	Suffix     string // of its functions stemAppend… and stemRead…, and of its codec
	Fallible   bool   // its encoding may fail
	Recursive  bool   // holds itself
	Depth      bool   // how deep its values nest is not known: encoding it counts the depth
	Sunken     bool   // recursive, or lies below such a type
	Levels     int    // arrays and maps within each other in it that no function counts
	HasZero    bool   // it, or what it points to, has a method IsZero
	HasAppend  bool   // for Text and Binary: has AppendText or AppendBinary too
	Comparable bool   // for types that marshal themselves: == tells whether two values are the same
	ZeroTest   bool   // a function tells whether a value is zero
	Zero       string // for types that marshal themselves: how a zero is written, "{}" behind the type
	Key        *Type
	Elem       *Type
	Len        int64
	Fields     []Field
	Doc        string     // what its declaration says of it, where this package declares it
	Constants  []Constant // of this package
}

// Marshals tells whether values of the type say themselves how they travel.
func (t *Type) Marshals() bool { return t.Kind >= Text && t.Kind <= Msgpack }

// OwnFunctions tells whether the type's code stands in functions of its own.
func (t *Type) OwnFunctions() bool { return t.Kind >= Text }

// Inner gives what a pointer leads to, and every other type as it is.
func (t *Type) Inner() *Type {
	for t.Kind == Pointer {
		t = t.Elem
	}
	return t
}

// A Field of a struct, its own or a promoted one.
type Field struct {
	Wire      string
	Aliases   []string // older wire names that are still read
	Select    string   // how it is reached from the struct: "Name", "Base.Name"
	Via       []Hop    // embedded pointers on the way, outermost first
	Type      *Type
	OmitEmpty bool
	OmitZero  bool
	Doc       string // where this package declares the field
}

// Optional tells whether the field is left out at times.
func (f Field) Optional() bool { return f.OmitEmpty || f.OmitZero }

// A Hop is an embedded pointer that must not be nil for a promoted field to exist.
type Hop struct {
	Select string
	Elem   GoType // what it points to
}

// invalidType is the name of a type that the compiler does not know.
const invalidType = "invalid type"

// A GoType is how Go source writes a type.
type GoType struct {
	Form GoForm
	Pkg  string // import path; "" for predeclared types
	Base string // name of the package that Pkg leads to
	Name string
	Args []GoType // of an instantiated generic type
	Key  *GoType
	Elem *GoType
	Len  int64
	// Fields of an anonymous struct, tags and all.
	Fields []GoField
}

// A GoForm is the syntax of a GoType.
type GoForm int

// The forms of types that can be written.
const (
	NamedForm GoForm = iota
	PointerForm
	SliceForm
	ArrayForm
	MapForm
	StructForm
)

// A GoField is a field of an anonymous struct.
type GoField struct {
	Name     string
	Type     GoType
	Embedded bool
	Tag      string
}
