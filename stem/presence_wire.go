package stem

import (
	"fmt"
	"math"

	"github.com/gostem/gostem/stem/codec"
)

// workerVersion is that of the wire form of what a worker says of itself (see beginWire):
//
//	[1, {1: "0197…", 2: "web-7", 3: "web-7.example", 4: 4711, …}]
const workerVersion = 1

const (
	workerKeyID = iota + 1
	workerKeyName
	workerKeyHost
	workerKeyPID
	workerKeyVersion
	workerKeyRevision
	workerKeyUp
	workerKeyStopped
	workerKeyQueues
	workerKeySlots
	workerKeyInHand
	workerKeyRunningCount
	workerKeyRunning
	workerKeyTaskCount
	workerKeyTasks
	workerKeyRates
	workerKeyPaused
)

// AppendWorkerInfo appends the wire form of i to b. Equal ones have equal bytes. For and Seen are not
// among them: they are the store's to see to.
func AppendWorkerInfo(b []byte, i *WorkerInfo) []byte {
	w := beginWire(b, workerVersion)
	w.str(workerKeyID, i.ID)
	w.str(workerKeyName, i.Name)
	w.str(workerKeyHost, i.Host)
	w.int(workerKeyPID, int64(i.PID))
	w.str(workerKeyVersion, i.Version)
	w.str(workerKeyRevision, i.Revision)
	w.int(workerKeyUp, int64(i.Up))
	w.flag(workerKeyStopped, i.Stopped)
	w.ids(workerKeyQueues, i.Queues)
	w.int(workerKeySlots, int64(i.Slots))
	w.int(workerKeyInHand, int64(i.InHand))
	w.int(workerKeyRunningCount, int64(i.RunningCount))
	w.running(i.Running)
	w.int(workerKeyTaskCount, int64(i.TaskCount))
	w.tasks(i.Tasks)
	w.rates(i.Rates)
	w.ids(workerKeyPaused, i.Paused)
	return w.end()
}

func (w *fieldWriter) rates(rates []float64) {
	if len(rates) == 0 {
		return
	}
	w.key(workerKeyRates)
	w.b = codec.AppendArrayLen(w.b, len(rates))
	for _, rate := range rates {
		w.b = codec.AppendFloat64(w.b, rate)
	}
}

// running writes [id, task, nanoseconds] for each task.
func (w *fieldWriter) running(tasks []RunningTask) {
	if len(tasks) == 0 {
		return
	}
	w.key(workerKeyRunning)
	w.b = codec.AppendArrayLen(w.b, len(tasks))
	for i := range tasks {
		w.b = codec.AppendArrayLen(w.b, 3)
		w.b = codec.AppendString(w.b, tasks[i].ID)
		w.b = codec.AppendString(w.b, tasks[i].Task)
		w.b = codec.AppendInt(w.b, int64(tasks[i].For))
	}
}

// tasks writes [name, fingerprint] for each task.
func (w *fieldWriter) tasks(tasks []TaskSchema) {
	if len(tasks) == 0 {
		return
	}
	w.key(workerKeyTasks)
	w.b = codec.AppendArrayLen(w.b, len(tasks))
	for i := range tasks {
		w.b = codec.AppendArrayLen(w.b, 2)
		w.b = codec.AppendString(w.b, tasks[i].Task)
		w.b = codec.AppendUint(w.b, tasks[i].Fingerprint)
	}
}

// ParseWorkerInfo reads the wire form of what a worker says of itself; For and Seen are zero. It copies
// what it keeps. It refuses bytes that are nothing of the kind or that a newer version wrote; the
// error tells where. Of lists it keeps as much as this version's workers write.
func ParseWorkerInfo(data []byte) (WorkerInfo, error) {
	var i WorkerInfo
	r := codec.NewReader(data)
	enterWire(&r, workerVersion)
	i.readFields(&r)
	r.Leave()
	err := r.Finish()
	if err == nil {
		err = validName("id of a worker", i.ID)
	}
	if err != nil {
		return WorkerInfo{}, fmt.Errorf("stem: parse worker: %w", err)
	}
	return i, nil
}

func (i *WorkerInfo) readFields(r *codec.Reader) {
	for n := r.EnterMap(); n > 0 && !r.Failed(); n-- {
		switch r.Uint64() {
		case workerKeyID:
			i.ID = r.Str()
		case workerKeyName:
			i.Name = r.Str()
		case workerKeyHost:
			i.Host = r.Str()
		case workerKeyPID:
			i.PID = r.Int()
		case workerKeyVersion:
			i.Version = r.Str()
		case workerKeyRevision:
			i.Revision = r.Str()
		case workerKeyUp:
			i.Up = r.Duration()
		case workerKeyStopped:
			i.Stopped = r.Int() == 1
		case workerKeyQueues:
			i.Queues = readList(r, mostListed, (*codec.Reader).Str)
		case workerKeySlots:
			i.Slots = r.Int()
		case workerKeyInHand:
			i.InHand = r.Int()
		case workerKeyRunningCount:
			i.RunningCount = r.Int()
		case workerKeyRunning:
			i.Running = readList(r, mostRunning, readRunning)
		case workerKeyTaskCount:
			i.TaskCount = r.Int()
		case workerKeyTasks:
			i.Tasks = readList(r, mostListed, readTaskSchema)
		case workerKeyRates:
			i.Rates = readList(r, mostListed, readRate)
		case workerKeyPaused:
			i.Paused = readList(r, mostListed, (*codec.Reader).Str)
		default:
			r.Skip()
		}
	}
	r.Leave()
}

// readList reads an array, of which it keeps the first so many: stray bytes must not be multiplied in memory.
func readList[T any](r *codec.Reader, most int, read func(*codec.Reader) T) []T {
	n := r.EnterArray()
	list := make([]T, 0, min(n, most))
	for ; n > 0 && !r.Failed(); n-- {
		if len(list) == most {
			r.Skip()
		} else {
			list = append(list, read(r))
		}
	}
	r.Leave()
	return list
}

// readRate takes what is no rate for none.
func readRate(r *codec.Reader) float64 {
	if rate := r.Float64(); rate >= 0 && rate <= math.MaxFloat64 {
		return rate
	}
	return 0
}

func readRunning(r *codec.Reader) (t RunningTask) {
	for i := range r.EnterArray() {
		switch i {
		case 0:
			t.ID = r.Str()
		case 1:
			t.Task = r.Str()
		case 2:
			t.For = r.Duration()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return t
}

func readTaskSchema(r *codec.Reader) (t TaskSchema) {
	for i := range r.EnterArray() {
		switch i {
		case 0:
			t.Task = r.Str()
		case 1:
			t.Fingerprint = r.Uint64()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return t
}
