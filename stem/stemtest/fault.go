package stemtest

import (
	"errors"
	"fmt"
	"sync"
)

// Operation is a kind of call to the store.
type Operation string

// The operations, as stem.StoreFailed names them where a worker makes them. A publish is an
// enqueue; the memory store saves results as it settles, so that OpSave is about reports of progress alone.
const (
	OpPublish Operation = "publish"
	OpReceive Operation = "receive"
	OpExtend  Operation = "extend"
	OpSettle  Operation = "settle"
	OpSave    Operation = "save"
	OpLoad    Operation = "load" // of a result, also by who waits for a job
)

// ErrStore is what a call answers that is made to fail, where the test gives no error.
var ErrStore = errors.New("stemtest: the store is made to fail")

// StoreFails makes the next calls of a kind fail with err, times of them, before they reach the store: those of
// the test, of handlers and of workers alike. How soon a worker tries again has jitter. That none of the calls was
// made by the end of the test fails it.
func (rt *Runtime) StoreFails(op Operation, times int, err error) {
	rt.faults.add(&fault{name: "StoreFails", op: op, times: times, err: err})
}

// AnswersLost is StoreFails with calls that the store carries out, and whose answers are lost on the
// way: the case in which who tries again does a thing twice, unless it has a key.
func (rt *Runtime) AnswersLost(op Operation, times int, err error) {
	rt.faults.add(&fault{name: "AnswersLost", op: op, times: times, err: err, after: true})
}

type fault struct {
	name  string
	op    Operation
	times int
	err   error
	after bool // the store has carried it out
	hit   bool // it has happened
}

type faults struct {
	mu   sync.Mutex
	list []*fault
}

func (f *faults) add(one *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.err == nil {
		one.err = ErrStore
	}
	f.list = append(f.list, one)
}

// take gives the error of a call, if it is to fail.
func (f *faults) take(op Operation, after bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.list {
		if one.op == op && one.after == after && one.times > 0 {
			one.times--
			one.hit = true
			return one.err
		}
	}
	return nil
}

// left tells what has not happened at all.
func (f *faults) left() (what []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.list {
		if !one.hit {
			what = append(what, fmt.Sprintf("%s(%s)", one.name, one.op))
		}
	}
	return what
}
