package stem

import (
	"fmt"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// commandVersion is that of the wire forms of commands and of replies to them (see beginWire):
//
//	[1, {1: "0197…", 2: "ping", …}]
const commandVersion = 1

const (
	commandKeyID = iota + 1
	commandKeyVerb
	commandKeyWorkers
	commandKeyFor
	commandKeyQueues
	commandKeyIDs
	commandKeyFamily
	commandKeyMode
	commandKeySlots
	commandKeyActor
	commandKeyReason
	commandKeySignature
)

// AppendCommand appends the wire form of c to b. Equal ones have equal bytes.
func AppendCommand(b []byte, c *Command) []byte {
	w := beginWire(b, commandVersion)
	w.str(commandKeyID, c.ID)
	w.str(commandKeyVerb, c.Verb)
	w.ids(commandKeyWorkers, c.Workers)
	w.duration(commandKeyFor, c.For)
	w.ids(commandKeyQueues, c.Queues)
	w.ids(commandKeyIDs, c.IDs)
	w.flag(commandKeyFamily, c.Family)
	w.int(commandKeyMode, int64(c.Mode))
	w.int(commandKeySlots, int64(c.Slots))
	w.str(commandKeyActor, c.Actor)
	w.str(commandKeyReason, c.Reason)
	w.bytes(commandKeySignature, c.Signature)
	return w.end()
}

// ParseCommand reads the wire form of a command. It copies what it keeps. It refuses bytes that
// are nothing of the kind, that a newer version wrote, or that Validate refuses; the error tells
// where.
func ParseCommand(data []byte) (Command, error) {
	var c Command
	r := codec.NewReader(data)
	enterWire(&r, commandVersion)
	c.readFields(&r)
	r.Leave()
	err := r.Finish()
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Command{}, fmt.Errorf("stem: parse command: %w", err)
	}
	return c, nil
}

func (c *Command) readFields(r *codec.Reader) {
	for n := r.EnterMap(); n > 0 && !r.Failed(); n-- {
		switch r.Uint64() {
		case commandKeyID:
			c.ID = r.Str()
		case commandKeyVerb:
			c.Verb = r.Str()
		case commandKeyWorkers:
			c.Workers = readNames(r)
		case commandKeyFor:
			c.For = readDuration(r)
		case commandKeyQueues:
			c.Queues = readNames(r)
		case commandKeyIDs:
			c.IDs = readNames(r)
		case commandKeyFamily:
			c.Family = r.Int() == 1
		case commandKeyMode:
			c.Mode = StopMode(r.Int())
		case commandKeySlots:
			c.Slots = r.Int()
		case commandKeyActor:
			c.Actor = r.Str()
		case commandKeyReason:
			c.Reason = r.Str()
		case commandKeySignature:
			c.Signature = r.Bytes()
		default:
			r.Skip()
		}
	}
	r.Leave()
}

// readNames reads a list whole, or one more than a command may have: half of its targets must not be
// taken for all.
func readNames(r *codec.Reader) []string { return readList(r, mostInCommand+1, (*codec.Reader).Str) }

const (
	replyKeyCommand = iota + 1
	replyKeyWorker
	replyKeyName
	replyKeyErr
	replyKeyCount
	replyKeyStats
	replyKeyHeldCount
	replyKeyHeld
)

// AppendReply appends the wire form of r to b. Equal ones have equal bytes. For is not among them: it
// is the store's to see to.
func AppendReply(b []byte, r *Reply) []byte {
	w := beginWire(b, commandVersion)
	w.str(replyKeyCommand, r.Command)
	w.str(replyKeyWorker, r.Worker)
	w.str(replyKeyName, r.Name)
	w.str(replyKeyErr, r.Err)
	w.int(replyKeyCount, int64(r.Count))
	w.stats(r.Stats)
	w.int(replyKeyHeldCount, int64(r.HeldCount))
	w.held(r.Held)
	return w.end()
}

// stats writes the fields in their order, those of the process last.
func (w *fieldWriter) stats(s *WorkerStats) {
	if s == nil {
		return
	}
	w.key(replyKeyStats)
	w.b = codec.AppendArrayLen(w.b, 18)
	for _, n := range []int64{
		int64(s.Up), int64(s.Slots), int64(s.InHand), int64(s.Running),
		s.Succeeded, s.Failed, s.Cancelled, s.Retried, s.Snoozed, s.Released,
	} {
		w.b = codec.AppendInt(w.b, n)
	}
	w.b = codec.AppendArrayLen(w.b, len(s.Paused))
	for _, queue := range s.Paused {
		w.b = codec.AppendString(w.b, queue)
	}
	w.b = codec.AppendBool(w.b, s.Stopping)
	w.b = codec.AppendInt(w.b, int64(s.Goroutines))
	w.b = codec.AppendInt(w.b, int64(s.CPUs))
	w.b = codec.AppendUint(w.b, s.HeapBytes)
	w.b = codec.AppendUint(w.b, s.SystemBytes)
	w.b = codec.AppendInt(w.b, s.GCs)
	w.b = codec.AppendString(w.b, s.Go)
}

// held writes [id, task, queue, attempt, nanoseconds in hand, nanoseconds running] for each task, and the report where there
// is one.
func (w *fieldWriter) held(tasks []HeldTask) {
	if len(tasks) == 0 {
		return
	}
	w.key(replyKeyHeld)
	w.b = codec.AppendArrayLen(w.b, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		fields := 6
		if t.Progress != nil {
			fields = 7
		}
		w.b = codec.AppendArrayLen(w.b, fields)
		w.b = codec.AppendString(w.b, t.ID)
		w.b = codec.AppendString(w.b, t.Task)
		w.b = codec.AppendString(w.b, t.Queue)
		w.b = codec.AppendInt(w.b, int64(t.Attempt))
		w.b = codec.AppendInt(w.b, int64(t.Since))
		w.b = codec.AppendInt(w.b, int64(t.For))
		if t.Progress != nil {
			w.report(t.Progress)
		}
	}
}

// ParseReply reads the wire form of a reply; For is zero. It copies what it keeps. It refuses bytes
// that are nothing of the kind or that a newer version wrote; the error tells where. Of lists it keeps as much as
// this version's workers write.
func ParseReply(data []byte) (Reply, error) {
	var reply Reply
	r := codec.NewReader(data)
	enterWire(&r, commandVersion)
	reply.readFields(&r)
	r.Leave()
	err := r.Finish()
	if err == nil {
		reply.For = time.Second // any: it is not on the wire
		err = reply.Validate()
		reply.For = 0
	}
	if err != nil {
		return Reply{}, fmt.Errorf("stem: parse reply: %w", err)
	}
	return reply, nil
}

func (r *Reply) readFields(from *codec.Reader) {
	for n := from.EnterMap(); n > 0 && !from.Failed(); n-- {
		switch from.Uint64() {
		case replyKeyCommand:
			r.Command = from.Str()
		case replyKeyWorker:
			r.Worker = from.Str()
		case replyKeyName:
			r.Name = from.Str()
		case replyKeyErr:
			r.Err = from.Str()
		case replyKeyCount:
			r.Count = from.Int()
		case replyKeyStats:
			r.Stats = readStats(from)
		case replyKeyHeldCount:
			r.HeldCount = from.Int()
		case replyKeyHeld:
			r.Held = readList(from, mostHeld, readHeld)
		default:
			from.Skip()
		}
	}
	from.Leave()
}

func readStats(r *codec.Reader) *WorkerStats {
	s := new(WorkerStats)
	counts := []*int64{&s.Succeeded, &s.Failed, &s.Cancelled, &s.Retried, &s.Snoozed, &s.Released}
	for i := range r.EnterArray() {
		switch i {
		case 0:
			s.Up = r.Duration()
		case 1:
			s.Slots = r.Int()
		case 2:
			s.InHand = r.Int()
		case 3:
			s.Running = r.Int()
		case 4, 5, 6, 7, 8, 9:
			*counts[i-4] = r.Int64()
		case 10:
			if paused := readNames(r); len(paused) > 0 {
				s.Paused = paused
			}
		case 11:
			s.Stopping = r.Bool()
		case 12:
			s.Goroutines = r.Int()
		case 13:
			s.CPUs = r.Int()
		case 14:
			s.HeapBytes = r.Uint64()
		case 15:
			s.SystemBytes = r.Uint64()
		case 16:
			s.GCs = r.Int64()
		case 17:
			s.Go = r.Str()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return s
}

func readHeld(r *codec.Reader) (t HeldTask) {
	for i := range r.EnterArray() {
		switch i {
		case 0:
			t.ID = r.Str()
		case 1:
			t.Task = r.Str()
		case 2:
			t.Queue = r.Str()
		case 3:
			t.Attempt = r.Int()
		case 4:
			t.Since = r.Duration()
		case 5:
			t.For = r.Duration()
		case 6:
			t.Progress = readProgress(r)
		default:
			r.Skip()
		}
	}
	r.Leave()
	return t
}
