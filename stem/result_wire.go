package stem

import (
	"fmt"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// resultVersion is that of the wire form of a result (see beginWire):
//
//	[1, {1: "0197…", 2: "demo.hello", 3: "default", 4: "succeeded", 5: <result>, …}]
const resultVersion = 1

const (
	resultKeyID = iota + 1
	resultKeyTask
	resultKeyQueue
	resultKeyState
	resultKeyPayload
	resultKeyFailure
	resultKeyProgress
	resultKeyDelivery
	resultKeyAttempt
	resultKeyInterruptions
	resultKeySnoozes
	resultKeyReleases
	resultKeyHistory
	resultKeyWorker
	resultKeyWaited
	resultKeyRan
	resultKeyReplays
)

// AppendResult appends the wire form of r to b. Equal results have equal bytes. Keep is
// not among them: it begins when the record is saved, and is the store's to see to.
func AppendResult(b []byte, r *Result) []byte {
	w := beginWire(b, resultVersion)
	w.str(resultKeyID, r.ID)
	w.str(resultKeyTask, r.Task)
	w.str(resultKeyQueue, r.Queue)
	w.str(resultKeyState, string(r.State))
	w.bytes(resultKeyPayload, r.Payload)
	w.failure(r.Failure)
	w.progress(r.Progress)
	w.int(resultKeyDelivery, r.Delivery)
	w.int(resultKeyAttempt, int64(r.Attempt))
	w.int(resultKeyInterruptions, int64(r.Interruptions))
	w.int(resultKeySnoozes, int64(r.Snoozes))
	w.int(resultKeyReleases, int64(r.Releases))
	w.history(r.History)
	w.str(resultKeyWorker, r.Worker)
	w.int(resultKeyWaited, int64(r.Waited))
	w.int(resultKeyRan, int64(r.Ran))
	w.replays(r.Replays)
	return w.end()
}

// failure writes [kind, message, stack] where there is a failure, be it empty.
func (w *fieldWriter) failure(f *Failure) {
	if f == nil {
		return
	}
	w.key(resultKeyFailure)
	w.b = codec.AppendArrayLen(w.b, 3)
	w.b = codec.AppendString(w.b, string(f.Kind))
	w.b = codec.AppendString(w.b, f.Message)
	w.b = codec.AppendString(w.b, f.Stack)
}

func (w *fieldWriter) progress(p *ProgressReport) {
	if p != nil {
		w.key(resultKeyProgress)
		w.report(p)
	}
}

// report writes [percent, message, data, milliseconds since 1970]; the last two not where there is neither.
func (w *fieldWriter) report(p *ProgressReport) {
	if len(p.Data) == 0 && p.At.IsZero() {
		w.b = codec.AppendArrayLen(w.b, 2)
		w.b = codec.AppendFloat64(w.b, p.Percent)
		w.b = codec.AppendString(w.b, p.Message)
		return
	}
	w.b = codec.AppendArrayLen(w.b, 4)
	w.b = codec.AppendFloat64(w.b, p.Percent)
	w.b = codec.AppendString(w.b, p.Message)
	w.texts(p.Data)
	w.b = codec.AppendInt(w.b, p.At.UnixMilli())
}

// history writes [attempt, milliseconds since 1970, worker, kind, message, digest] for
// each attempt that failed.
func (w *fieldWriter) history(attempts []AttemptRecord) {
	if len(attempts) == 0 {
		return
	}
	w.key(resultKeyHistory)
	w.b = codec.AppendArrayLen(w.b, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		w.b = codec.AppendArrayLen(w.b, 6)
		w.b = codec.AppendInt(w.b, int64(a.Attempt))
		w.b = codec.AppendInt(w.b, a.At.UnixMilli())
		w.b = codec.AppendString(w.b, a.Worker)
		w.b = codec.AppendString(w.b, string(a.Kind))
		w.b = codec.AppendString(w.b, a.Message)
		w.b = codec.AppendString(w.b, a.StackDigest)
	}
}

// replays writes [count, id, milliseconds since 1970] where the dead letter was sent back.
func (w *fieldWriter) replays(r *Replays) {
	if r == nil {
		return
	}
	w.key(resultKeyReplays)
	w.b = codec.AppendArrayLen(w.b, 3)
	w.b = codec.AppendInt(w.b, int64(r.Count))
	w.b = codec.AppendString(w.b, r.As)
	w.b = codec.AppendInt(w.b, r.At.UnixMilli())
}

// ParseResult reads the wire form of a result; Keep is zero. It copies what it keeps. It
// refuses bytes that are no result, that a newer version wrote, or that say what no
// worker writes; the error tells where. Of a history it keeps the newest MaxHistory attempts.
func ParseResult(data []byte) (Result, error) {
	var res Result
	r := codec.NewReader(data)
	enterWire(&r, resultVersion)
	res.readFields(&r)
	r.Leave()
	if err := r.Finish(); err != nil {
		return Result{}, fmt.Errorf("stem: parse result: %w", err)
	}
	if err := res.validate(); err != nil {
		return Result{}, fmt.Errorf("stem: parse result: %w", err)
	}
	return res, nil
}

func (res *Result) readFields(r *codec.Reader) {
	for n := r.EnterMap(); n > 0 && !r.Failed(); n-- {
		switch r.Uint64() {
		case resultKeyID:
			res.ID = r.Str()
		case resultKeyTask:
			res.Task = r.Str()
		case resultKeyQueue:
			res.Queue = r.Str()
		case resultKeyState:
			res.State = State(r.Str())
		case resultKeyPayload:
			res.Payload = r.Bytes()
		case resultKeyFailure:
			res.Failure = readFailure(r)
		case resultKeyProgress:
			res.Progress = readProgress(r)
		case resultKeyDelivery:
			res.Delivery = r.Int64()
		case resultKeyAttempt:
			res.Attempt = r.Int()
		case resultKeyInterruptions:
			res.Interruptions = r.Int()
		case resultKeySnoozes:
			res.Snoozes = r.Int()
		case resultKeyReleases:
			res.Releases = r.Int()
		case resultKeyHistory:
			res.History = readHistory(r)
		case resultKeyWorker:
			res.Worker = r.Str()
		case resultKeyWaited:
			res.Waited = r.Duration()
		case resultKeyRan:
			res.Ran = r.Duration()
		case resultKeyReplays:
			res.Replays = readReplays(r)
		default:
			r.Skip()
		}
	}
	r.Leave()
}

func readFailure(r *codec.Reader) *Failure {
	f := new(Failure)
	for i := range r.EnterArray() {
		switch i {
		case 0:
			f.Kind = FailureKind(r.Str())
		case 1:
			f.Message = r.Str()
		case 2:
			f.Stack = r.Str()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return f
}

func readProgress(r *codec.Reader) *ProgressReport {
	p := new(ProgressReport)
	for i := range r.EnterArray() {
		switch i {
		case 0:
			p.Percent = r.Float64()
		case 1:
			p.Message = r.Str()
		case 2:
			if data := readTexts(r); len(data) > 0 {
				p.Data = data
			}
		case 3:
			p.At = time.UnixMilli(r.Int64()).UTC()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return p
}

// readHistory passes over what is more than MaxHistory attempts: a later version may
// remember more, and stray bytes must not be multiplied in memory.
func readHistory(r *codec.Reader) []AttemptRecord {
	n := r.EnterArray()
	for ; n > MaxHistory && !r.Failed(); n-- {
		r.Skip()
	}
	attempts := make([]AttemptRecord, 0, min(n, MaxHistory))
	for ; n > 0 && !r.Failed(); n-- {
		attempts = append(attempts, readAttempt(r))
	}
	r.Leave()
	return attempts
}

func readAttempt(r *codec.Reader) AttemptRecord {
	var a AttemptRecord
	for i := range r.EnterArray() {
		switch i {
		case 0:
			a.Attempt = r.Int()
		case 1:
			a.At = time.UnixMilli(r.Int64()).UTC()
		case 2:
			a.Worker = r.Str()
		case 3:
			a.Kind = FailureKind(r.Str())
		case 4:
			a.Message = r.Str()
		case 5:
			a.StackDigest = r.Str()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return a
}

func readReplays(r *codec.Reader) *Replays {
	replays := new(Replays)
	for i := range r.EnterArray() {
		switch i {
		case 0:
			replays.Count = r.Int()
		case 1:
			replays.As = r.Str()
		case 2:
			replays.At = time.UnixMilli(r.Int64()).UTC()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return replays
}

// validate reports the first field that no worker writes. What a client branches on, what
// JSON must carry and a terminal shows is sound, whoever wrote it. Task and queue may be
// missing: they are not known of a task whose envelope could not be read.
func (res *Result) validate() error {
	if err := validName("id", res.ID); err != nil {
		return err
	}
	for _, name := range []struct{ field, value string }{{"task name", res.Task}, {"queue", res.Queue}} {
		if name.value != "" {
			if err := validName(name.field, name.value); err != nil {
				return err
			}
		}
	}
	switch res.State {
	case StateRunning, StateRetrying, StateSucceeded, StateFailed, StateCancelled:
	default:
		return &OptionError{Option: "state", Value: clip(string(res.State)), Want: "running, retrying, succeeded, failed or cancelled"}
	}
	if p := res.Progress; p != nil && !(p.Percent >= 0 && p.Percent <= 100) {
		return &OptionError{Option: "progress", Value: fmt.Sprint(p.Percent), Want: "0 to 100 percent"}
	}
	if res.Replays != nil {
		if err := res.Replays.validate(); err != nil {
			return err
		}
	}
	return res.validateCounts()
}

func (r *Replays) validate() error {
	if r.Count < 1 {
		return &OptionError{Option: "count of replays", Value: fmt.Sprint(r.Count), Want: "1 or more"}
	}
	return validName("id of the replay", r.As)
}

func (res *Result) validateCounts() error {
	for _, count := range []struct {
		field string
		value int64
	}{
		{"delivery", res.Delivery}, {"attempt", int64(res.Attempt)}, {"interruptions", int64(res.Interruptions)},
		{"snoozes", int64(res.Snoozes)}, {"releases", int64(res.Releases)},
	} {
		if count.value < 0 {
			return &OptionError{Option: count.field, Value: fmt.Sprint(count.value), Want: "0 or more"}
		}
	}
	return nil
}
