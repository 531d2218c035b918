package stem

import (
	"fmt"

	"github.com/gostem/gostem/stem/codec"
)

// envelopeVersion is that of the wire form of an envelope (see beginWire):
//
//	[1, {1: "0197…", 2: "demo.hello", 3: "default", 5: <args>, …}]
const envelopeVersion = 1

const (
	keyID = iota + 1
	keyTask
	keyQueue
	keyPriority
	keyPayload
	keyHeaders
	keyDelay
	keyExpiresIn
	keyMaxRetries
	keyBackoff
	keyTimeout
	keyVisibility
	keyKeepResult
	keyDedupeKey
	keyDedupeWindow
	keyUnique
	keyFingerprint
	keyRoot
	keyParent
	keyReplayOf
	keyAncestors
	keyRetryFor
	keySoftTimeout
	keyLimit
	keyHeartbeatTimeout
	keyLinks
)

// AppendEnvelope appends the wire form of e to b. Equal envelopes have equal bytes.
func AppendEnvelope(b []byte, e *Envelope) []byte {
	w := beginWire(b, envelopeVersion)
	w.str(keyID, e.ID)
	w.str(keyTask, e.Task)
	w.str(keyQueue, e.Queue)
	w.int(keyPriority, int64(e.Priority))
	w.bytes(keyPayload, e.Payload)
	w.headers(e.Headers)
	w.duration(keyDelay, e.Delay)
	w.duration(keyExpiresIn, e.ExpiresIn)
	w.int(keyMaxRetries, int64(e.MaxRetries))
	w.backoff(e.Backoff)
	w.duration(keyTimeout, e.Timeout)
	w.duration(keyVisibility, e.Visibility)
	w.duration(keyKeepResult, e.KeepResult)
	w.str(keyDedupeKey, e.DedupeKey)
	w.duration(keyDedupeWindow, e.DedupeWindow)
	w.unique(e.Unique)
	if e.Fingerprint != 0 {
		w.key(keyFingerprint)
		w.b = codec.AppendUint(w.b, e.Fingerprint)
	}
	w.str(keyRoot, e.Root)
	w.str(keyParent, e.Parent)
	w.str(keyReplayOf, e.ReplayOf)
	w.ids(keyAncestors, e.Ancestors)
	w.duration(keyRetryFor, e.RetryFor)
	w.duration(keySoftTimeout, e.SoftTimeout)
	if e.Limit != nil {
		w.limit(e.Limit)
	}
	w.duration(keyHeartbeatTimeout, e.HeartbeatTimeout)
	w.links(e.Links)
	return w.end()
}

func (w *fieldWriter) ids(k uint64, ids []string) {
	if len(ids) == 0 {
		return
	}
	w.key(k)
	w.b = codec.AppendArrayLen(w.b, len(ids))
	for _, id := range ids {
		w.b = codec.AppendString(w.b, id)
	}
}

func (w *fieldWriter) headers(h map[string]string) {
	if len(h) == 0 {
		return
	}
	w.key(keyHeaders)
	w.texts(h)
}

func (w *fieldWriter) texts(m map[string]string) {
	w.b = codec.AppendMapLen(w.b, len(m))
	for _, e := range codec.SortedEntries(make([]codec.Entry[string, string], 0, 8), m) {
		w.b = codec.AppendString(w.b, e.Key)
		w.b = codec.AppendString(w.b, e.Value)
	}
}

func (w *fieldWriter) backoff(p BackoffPolicy) {
	if p == (BackoffPolicy{}) {
		return
	}
	w.key(keyBackoff)
	w.b = codec.AppendArrayLen(w.b, 3)
	w.b = codec.AppendUint(w.b, uint64(p.Kind))
	w.b = appendDuration(w.b, p.Base)
	w.b = appendDuration(w.b, p.Cap)
}

func (w *fieldWriter) unique(u *Uniqueness) {
	if u == nil {
		return
	}
	w.key(keyUnique)
	w.b = codec.AppendArrayLen(w.b, 4)
	w.b = codec.AppendString(w.b, u.Key)
	w.b = codec.AppendUint(w.b, uint64(u.Until))
	w.b = appendDuration(w.b, u.For)
	w.b = codec.AppendUint(w.b, uint64(u.OnConflict))
}

// ParseEnvelope reads the wire form of an envelope. It copies what it keeps. It
// refuses bytes that are no envelope, that a newer version wrote, or that say
// what Validate does not allow; the error tells where.
func ParseEnvelope(data []byte) (Envelope, error) {
	var e Envelope
	r := codec.NewReader(data)
	enterWire(&r, envelopeVersion)
	e.readFields(&r, 0)
	r.Leave()
	if err := r.Finish(); err != nil {
		return Envelope{}, fmt.Errorf("stem: parse envelope: %w", err)
	}
	if err := e.Validate(); err != nil {
		return Envelope{}, fmt.Errorf("stem: parse envelope: %w", err)
	}
	return e, nil
}

// readFields reads the fields of an envelope at that depth of links.
func (e *Envelope) readFields(r *codec.Reader, depth int) {
	for n := r.EnterMap(); n > 0 && !r.Failed(); n-- {
		switch r.Uint64() {
		case keyID:
			e.ID = r.Str()
		case keyTask:
			e.Task = r.Str()
		case keyQueue:
			e.Queue = r.Str()
		case keyPriority:
			e.Priority = r.Int()
		case keyPayload:
			e.Payload = r.Bytes()
		case keyHeaders:
			e.Headers = readTexts(r)
		case keyDelay:
			e.Delay = readDuration(r)
		case keyExpiresIn:
			e.ExpiresIn = readDuration(r)
		case keyMaxRetries:
			e.MaxRetries = r.Int()
		case keyBackoff:
			e.Backoff = readBackoff(r)
		case keyTimeout:
			e.Timeout = readDuration(r)
		case keyVisibility:
			e.Visibility = readDuration(r)
		case keyKeepResult:
			e.KeepResult = readDuration(r)
		case keyDedupeKey:
			e.DedupeKey = r.Str()
		case keyDedupeWindow:
			e.DedupeWindow = readDuration(r)
		case keyUnique:
			e.Unique = readUnique(r)
		case keyFingerprint:
			e.Fingerprint = r.Uint64()
		case keyRoot:
			e.Root = r.Str()
		case keyParent:
			e.Parent = r.Str()
		case keyReplayOf:
			e.ReplayOf = r.Str()
		case keyAncestors:
			e.Ancestors = readIDs(r)
		case keyRetryFor:
			e.RetryFor = readDuration(r)
		case keySoftTimeout:
			e.SoftTimeout = readDuration(r)
		case keyLimit:
			e.Limit = readLimit(r)
		case keyHeartbeatTimeout:
			e.HeartbeatTimeout = readDuration(r)
		case keyLinks:
			e.Links = readLinks(r, depth+1)
		default:
			r.Skip()
		}
	}
	r.Leave()
}

func readIDs(r *codec.Reader) []string {
	n := r.EnterArray()
	ids := make([]string, 0, min(n, MaxAncestors))
	for ; n > 0 && !r.Failed(); n-- {
		if len(ids) == MaxAncestors {
			r.Fail(fmt.Errorf("more than %d ancestors", MaxAncestors))
			break
		}
		ids = append(ids, r.Str())
	}
	r.Leave()
	return ids
}

func readTexts(r *codec.Reader) map[string]string {
	n := r.EnterMap()
	h := make(map[string]string, codec.MapCap[string, string](n))
	for ; n > 0 && !r.Failed(); n-- {
		name := r.Str()
		h[name] = r.Str()
	}
	r.Leave()
	return h
}

func readBackoff(r *codec.Reader) BackoffPolicy {
	var p BackoffPolicy
	for i := range r.EnterArray() {
		switch i {
		case 0:
			p.Kind = BackoffKind(r.Uint8())
		case 1:
			p.Base = readDuration(r)
		case 2:
			p.Cap = readDuration(r)
		default:
			r.Skip()
		}
	}
	r.Leave()
	return p
}

func readUnique(r *codec.Reader) *Uniqueness {
	u := new(Uniqueness)
	for i := range r.EnterArray() {
		switch i {
		case 0:
			u.Key = r.Str()
		case 1:
			u.Until = UniqueUntil(r.Uint8())
		case 2:
			u.For = readDuration(r)
		case 3:
			u.OnConflict = Conflict(r.Uint8())
		default:
			r.Skip()
		}
	}
	r.Leave()
	return u
}
