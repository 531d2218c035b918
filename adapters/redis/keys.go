package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gostem/gostem/stem"
)

// group is the name of the one consumer group that each stream has.
const group = "stem"

// queueKeys are the keys of one queue, and what is made of them once. They share a
// hash tag, so on a cluster a queue lies in one slot and its scripts may touch all of it:
//
//	<namespace>:{<queue>}:0 … :9    streams, one for each priority: what is due or on loan
//	<namespace>:{<queue>}:wake      a stream of tokens that wake receivers for what the others do not announce
//	<namespace>:{<queue>}:state     a hash: last delivery number, pause, sessions (S:<id>), takeovers from them
//	                                (T:<id>), and hints of where to look, so that an idle corner costs no command
//	<namespace>:{<queue>}:back      a sorted set: addresses of entries that stand in line again (released, lapsed)
//	<namespace>:{<queue>}:life      a hash: what has become of such entries (counters, marks, number, interruptions)
//	<namespace>:{<queue>}:lapses    a sorted set: sessions by when they lapse
//	<namespace>:{<queue>}:delayed   a sorted set: envelopes that are not in a stream yet, by when they are due
//	<namespace>:{<queue>}:held      a sorted set: entries of lapsed sessions by when their visibility is over
//	<namespace>:{<queue>}:rest      a sorted set: entries that were released with a delay, by when that is over
//	<namespace>:{<queue>}:aside     a sorted set: entries that no receiver who asked could run, by task and schema
//	<namespace>:{<queue>}:schemas   a hash: how many of each task and schema are set aside
//	<namespace>:{<queue>}:dead      a hash: dead letters
//	<namespace>:{<queue>}:burials   a sorted set: dead letters by time
//	<namespace>:{<queue>}:revoked   a hash: revocations
//	<namespace>:{<queue>}:tasks:…   a string: a set of tasks that some receiver knows, under its digest; for a day
//	<namespace>:{<queue>}:key:…     a string: the id that was published with a dedupe key; for its window
//	<namespace>:{<queue>}:unique:…  a string: who holds a unique key (see unique.lua)
//
// Results are not a queue's, so that they can be found by the id alone:
//
//	<namespace>:results:<bucket>    a hash: records by id; a bucket is 256 ms by the time in the id
//	<namespace>:results:-<id>       the same for an id that carries no time
//	                                a field without a name tells that somebody waits for one of them
//	<namespace>:results             the channel on which such buckets are announced when they have new outcomes
//	<namespace>:session:<id>        a set: the queues that a session has received from
//	<namespace>:queues              a set: the names of queues that were used
//	<namespace>:{%workers}:said     a hash: what workers say of themselves, by session, behind when they said it
//	<namespace>:{%workers}:until    a sorted set: until when that is kept
type queueKeys struct {
	queue   string
	prefix  string
	streams [stem.MaxPriority + 1]string
	wake    string
	all     []any // for scripts, in the order of keys_queue.lua
	publish []any // the first keys of publish.lua; of them the first is that of plain.lua, and two are those of resign.lua
	boxed   [stem.MaxPriority + 1]any
	state   string
	dead    string
	burials string
	revoked string

	// plain tells that the queue was last seen not paused, and with nothing ready but what is of priority 0 and nobody
	// has had yet: that may be read by a plain command.
	plain    atomic.Bool
	heaviest atomic.Int64 // about how many bytes the largest of the envelopes had that were last lent
	next     atomic.Int64 // when something was to become due, in ms by the store's clock, when last seen
	calm     atomic.Pointer[calm]
	named    atomic.Int64 // when the name was last noted (see name), in ms since the store began, 0 if never
}

// weigh notes how large envelopes are. What was large once is forgotten by and by.
func (k *queueKeys) weigh(loans []loan) {
	before := k.heaviest.Load()
	heaviest := before / 2
	for i := range loans {
		heaviest = max(heaviest, int64(len(loans[i].envelope)))
	}
	if heaviest != before {
		k.heaviest.Store(heaviest)
	}
}

// keyState is the place of the state in queueKeys.all.
const keyState = stem.MaxPriority + 2

// keysOf gives the keys of a queue.
func (c *core) keysOf(queue string) *queueKeys {
	if k, ok := c.queues.Load(queue); ok {
		return k.(*queueKeys)
	}
	k, _ := c.queues.LoadOrStore(queue, newQueueKeys(c.cfg.Namespace, queue))
	return k.(*queueKeys)
}

// tag makes a queue's name a hash tag: the first closing brace would end it.
var tag = strings.NewReplacer("%", "%25", "}", "%7D")

func newQueueKeys(namespace, queue string) *queueKeys {
	k := &queueKeys{queue: queue, prefix: namespace + ":{" + tag.Replace(queue) + "}:"}
	for p := range k.streams {
		k.streams[p] = k.prefix + strconv.Itoa(p)
		k.boxed[p] = k.streams[p]
		k.all = append(k.all, k.streams[p])
	}
	k.wake, k.state = k.prefix+"wake", k.prefix+"state"
	k.dead, k.burials, k.revoked = k.prefix+"dead", k.prefix+"burials", k.prefix+"revoked"
	k.all = append(k.all, k.wake, k.state, k.prefix+"back", k.prefix+"life", k.prefix+"lapses",
		k.prefix+"delayed", k.prefix+"held", k.prefix+"rest", k.prefix+"aside", k.prefix+"schemas",
		k.dead, k.burials, k.revoked)
	k.publish = []any{k.state, k.wake, k.prefix + "delayed", k.revoked}
	return k
}

// dedupe gives the key of a dedupe key.
func (k *queueKeys) dedupe(key string) string { return k.prefix + "key:" + key }

// unique gives the key of a unique key.
func (k *queueKeys) unique(key string) string { return k.prefix + "unique:" + key }

// tasks gives the key of a set of tasks.
func (k *queueKeys) tasks(known knowledge) string { return k.prefix + "tasks:" + known.digest }

// bucketBits: the ids of 256 ms share a hash, which is ten thousand at the pace of a busy server and a few otherwise.
const bucketBits = 8

// bucket gives the key of the hash in which the record of an id lies.
func (c *core) bucket(id string) string {
	if ms, ok := timeOf(id); ok {
		return c.cfg.Namespace + ":results:" + strconv.FormatUint(ms>>bucketBits, 36)
	}
	return c.cfg.Namespace + ":results:-" + id
}

// timeOf gives the Unix milliseconds that a UUIDv7 carries.
func timeOf(id string) (ms uint64, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' || id[18] != '-' || id[23] != '-' {
		return 0, false
	}
	high, err := strconv.ParseUint(id[:8], 16, 32)
	if err != nil {
		return 0, false
	}
	low, err := strconv.ParseUint(id[9:13], 16, 16)
	return high<<16 | low, err == nil
}

// channel is where buckets with new outcomes are announced.
func (c *core) channel() string { return c.cfg.Namespace + ":results" }

// namesKey is where the names of queues are.
func (c *core) namesKey() string { return c.cfg.Namespace + ":queues" }

// workerKeys gives the keys of what workers say of themselves. They share a hash tag that is no queue's: behind the
// percent sign in one of those there are two digits.
func (c *core) workerKeys() []any {
	return []any{c.cfg.Namespace + ":{%workers}:said", c.cfg.Namespace + ":{%workers}:until"}
}

func (c *core) sessionKey(id string) string { return c.cfg.Namespace + ":session:" + id }

// schemaOf is how scripts tell tasks and the schemas of their args apart: "demo.hello 00c0ffee00c0ffee",
// or "demo.hello -" where the schema is not known.
func schemaOf(task string, fingerprint uint64) string {
	if fingerprint == 0 {
		return task + " -"
	}
	return task + " " + hex16(fingerprint)
}

// schemas keeps the texts of those that are published. There are as many as tasks.
type schemas struct {
	mu    sync.RWMutex
	texts map[stem.TaskSchema]string
}

func (s *schemas) of(task string, fingerprint uint64) string {
	key := stem.TaskSchema{Task: task, Fingerprint: fingerprint}
	s.mu.RLock()
	text := s.texts[key]
	s.mu.RUnlock()
	if text != "" {
		return text
	}
	text = schemaOf(task, fingerprint)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil || len(s.texts) > 10_000 {
		s.texts = make(map[stem.TaskSchema]string)
	}
	s.texts[key] = text
	return text
}

func hex16(v uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[v>>(60-4*i)&15]
	}
	return string(b[:])
}

// parseSchema reads what schemaOf wrote.
func parseSchema(s string) stem.TaskSchema {
	task, schema, _ := strings.Cut(s, " ")
	fingerprint, _ := strconv.ParseUint(schema, 16, 64) // "-" is 0
	return stem.TaskSchema{Task: task, Fingerprint: fingerprint}
}

// knowledge is a set of tasks as receive.lua reads it: a line for each task, with the schemas that are read,
// or * for all.
type knowledge struct{ digest, text string }

// knowledges keeps what was made of task sets, which never change.
type knowledges struct {
	mu    sync.Mutex
	bySet map[*stem.TaskSet]knowledge
}

func (k *knowledges) of(set *stem.TaskSet) knowledge {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.bySet[set]; ok {
		return known
	}
	if k.bySet == nil || len(k.bySet) > 1000 {
		k.bySet = make(map[*stem.TaskSet]knowledge)
	}
	known := newKnowledge(set)
	k.bySet[set] = known
	return known
}

func newKnowledge(set *stem.TaskSet) knowledge {
	var b strings.Builder
	b.WriteByte('\n')
	for name, schemas := range set.All() {
		b.WriteString(name)
		b.WriteByte(' ')
		if schemas == nil {
			b.WriteByte('*')
		}
		for i, fingerprint := range schemas {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(hex16(fingerprint))
		}
		b.WriteByte('\n')
	}
	sum := sha1.Sum([]byte(b.String()))
	return knowledge{hex.EncodeToString(sum[:]), b.String()}
}
