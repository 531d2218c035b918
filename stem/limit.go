package stem

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// Limit is how often and how many at once a task may run, wherever its workers are. It
// travels in the envelope, so that every worker keeps to it. Share it read-only.
type Limit struct {
	// Rate bounds how often a run of the task begins. The zero Rate is no bound.
	Rate Rate
	// Key tells tasks apart that have a rate each, for example by their tenant: a value of
	// a header or of the args, as [LimitKey] writes it. "" is the task as a whole.
	Key string
	// Concurrency is how many runs of the task there may be at once, in all workers together.
	// 0 means no bound.
	Concurrency int
}

// Rate is a number of turns in a time. The first Burst of them may be taken at once; those
// that follow are spaced evenly, and what is not taken is saved up to that number.
type Rate struct {
	Count int
	Per   time.Duration
	// Burst is how many turns may be taken at once; 0 means 1, which spaces all evenly.
	Burst int
}

// The bounds of a rate: what every store can count, in whole microseconds and for as long as
// they stay exact.
const (
	longestPer      = 366 * 24 * time.Hour
	shortestTurn    = time.Microsecond
	mostConcurrency = 1_000_000
)

// Interval is how far apart turns are in the long run: Per/Count, rounded up to the
// microsecond. It is 0 for the zero Rate.
func (r Rate) Interval() time.Duration {
	if r.Count < 1 {
		return 0
	}
	step := time.Duration(r.Count) * time.Microsecond
	return (r.Per + step - 1) / step * time.Microsecond
}

// Tolerance is how much earlier than evenly spaced a turn may be taken: the Interval for
// each turn of the burst but one.
func (r Rate) Tolerance() time.Duration {
	return time.Duration(max(r.Burst, 1)-1) * r.Interval()
}

// Validate reports what no store can count, naming it and what is allowed. The zero Rate is
// no bound, and valid.
func (r Rate) Validate() error {
	switch {
	case r == Rate{}:
		return nil
	case r.Count == 0 && r.Per == 0:
		return &OptionError{Option: "burst", Value: fmt.Sprint(r.Burst), Want: "a rate limit beside it"}
	case r.Count < 1 || r.Per <= 0 || r.Per > longestPer || time.Duration(r.Count) > r.Per/shortestTurn:
		return &OptionError{Option: "rate limit", Value: fmt.Sprintf("%d in %v", r.Count, r.Per), Want: "1 or more in up to 8,784h, and at most one in a microsecond"}
	case r.Burst < 0 || time.Duration(r.Burst) > longestPer/r.Interval():
		return &OptionError{Option: "burst", Value: fmt.Sprint(r.Burst), Want: "0 or more, and no more than the rate allows in 8,784h"}
	default:
		return nil
	}
}

// limit gives the draft a Limit of its own, to be changed.
func (e *draft) limit() *Limit {
	if !e.ownLimit {
		own := Limit{}
		if e.Limit != nil {
			own = *e.Limit
		}
		e.Limit, e.ownLimit = &own, true
	}
	return e.Limit
}

// completeLimit fills in the limit's key, and leaves no limit where nothing is limited.
func (e *draft) completeLimit() error {
	switch source := e.limitKey.field + e.limitKey.header; {
	case source == "":
	case e.Limit == nil || e.Limit.Rate == (Rate{}):
		return &OptionError{Option: "limit key", Value: clip(source), Want: "a rate limit beside it"}
	default:
		e.limit().Key = e.limitKey.of(e.Envelope)
	}
	if e.Limit != nil && *e.Limit == (Limit{}) {
		e.Limit = nil
	}
	return nil
}

func (l *Limit) validate() error {
	switch {
	case l.Concurrency < 0 || l.Concurrency > mostConcurrency:
		return &OptionError{Option: "concurrency", Value: fmt.Sprint(l.Concurrency), Want: "0 to 1,000,000"}
	case l.Key != "" && l.Rate == Rate{}:
		return &OptionError{Option: "limit key", Value: clip(l.Key), Want: "a rate limit beside it"}
	case l.Key != "":
		if err := validName("limit key", l.Key); err != nil {
			return err
		}
	}
	return l.Rate.Validate()
}

// RateLimit lets a run of the task begin count times in a time, in all workers together: what
// is beyond that waits for its turn, which costs no attempt, and other tasks go on
// meanwhile. Turns are spaced evenly unless [Burst] lets some come at once. Workers need a
// [Limiter]. A count of 0 takes the rate of the task definition back, with its burst and key.
func RateLimit(count int, per time.Duration) Option {
	return func(e *draft) {
		l := e.limit()
		if l.Rate.Count, l.Rate.Per = count, per; count == 0 {
			l.Rate, e.limitKey = Rate{}, limitKey{}
		}
	}
}

// Burst is how many turns of a RateLimit may be taken at once, when none has been taken
// for long enough. The default is 1.
func Burst(n int) Option {
	return func(e *draft) { e.limit().Rate.Burst = n }
}

// LimitKeyField gives each value of a field of the args a rate limit of its own. The field is
// named as on the wire, and one within another after a point: "tenant.id". Tasks whose args do
// not have it, or have nil there, share one.
func LimitKeyField(path string) Option {
	return func(e *draft) { e.limitKey = limitKey{field: path} }
}

// LimitKeyHeader gives each value of a header a rate limit of its own. Tasks without the
// header share one. It counts what the header is when the options are applied: what an
// [EnqueueMiddleware] sets comes too late.
func LimitKeyHeader(name string) Option {
	return func(e *draft) { e.limitKey = limitKey{header: name} }
}

// Concurrency is how many runs of the task there may be at once, in all workers together.
// Workers need a [Limiter]. Tasks beyond it wait in their queue, in order. 0, the default,
// means no bound.
func Concurrency(n int) Option {
	return func(e *draft) { e.limit().Concurrency = n }
}

// concurrency is how many runs of the task there may be at once, by its definition; 0 means no bound.
func (s *TaskSpec) concurrency() int {
	e := Envelope{}
	if (&draft{Envelope: &e}).apply(s.Options); e.Limit == nil {
		return 0
	}
	return e.Limit.Concurrency
}

// LimitKey gives a value as Limit.Key has it: as it stands where it is a name of 1 to 200
// printable ASCII bytes without spaces, else as a hash.
func LimitKey(value string) string {
	if value == "" || validName("", value) == nil {
		return value
	}
	hash := sha256.Sum256([]byte(value))
	return "#" + hex.EncodeToString(hash[:16])
}

// limitKey is where an envelope's limit key comes from.
type limitKey struct{ field, header string }

func (k limitKey) of(e *Envelope) string {
	switch {
	case k.header != "":
		return LimitKey(e.Headers[k.header])
	case k.field != "":
		return LimitKey(plainText(fieldOf(e.Payload, k.field)))
	default:
		return ""
	}
}

// fieldOf gives the encoded value of a field of an encoded value, which stays where it is; nil
// where there is none.
func fieldOf(value []byte, path string) []byte {
	for name := range strings.SplitSeq(path, ".") {
		r := codec.NewReader(value)
		if r.Kind() != codec.Map {
			return nil
		}
		value = nil
		for n := r.EnterMap(); n > 0 && !r.Failed(); n-- {
			if plainText(r.RawView()) == name {
				value = r.RawView()
				break
			}
			r.Skip()
		}
	}
	return value
}

// plainText gives an encoded value as a person would write it, where it is a text, a number
// or a bool; others as they are encoded, and nil as "".
func plainText(value []byte) string {
	r := codec.NewReader(value)
	switch r.Kind() {
	case codec.Str, codec.Bin:
		return string(r.View())
	case codec.Int:
		if n := r.Int64(); !r.Failed() {
			return strconv.FormatInt(n, 10)
		}
		r.Reset(value)
		return strconv.FormatUint(r.Uint64(), 10)
	case codec.Bool:
		return strconv.FormatBool(r.Bool())
	case codec.Nil:
		return ""
	default:
		return string(value)
	}
}
