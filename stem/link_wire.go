package stem

import (
	"fmt"

	"github.com/gostem/gostem/stem/codec"
)

// links writes [when, pass the result, envelope] for each link, the envelope in its own
// wire form: it is one that has no id yet.
func (w *fieldWriter) links(links []Link) {
	if len(links) == 0 {
		return
	}
	w.key(keyLinks)
	w.b = codec.AppendArrayLen(w.b, len(links))
	for i := range links {
		l := &links[i]
		w.b = codec.AppendArrayLen(w.b, 3)
		w.b = codec.AppendUint(w.b, uint64(l.When))
		w.b = codec.AppendBool(w.b, l.PassResult)
		w.b = AppendEnvelope(w.b, &l.Envelope)
	}
}

// readLinks reads links that lie so deep. Stray bytes must not be multiplied in memory:
// an envelope is large, and the shortest of them has few bytes.
func readLinks(r *codec.Reader, depth int) []Link {
	n := r.EnterArray()
	if !r.Failed() && (n > MaxLinks || depth > MaxLinkDepth) {
		r.Fail(fmt.Errorf("%d links, %d deep: want at most %d, and %d deep", n, depth, MaxLinks, MaxLinkDepth))
	}
	var links []Link
	for ; n > 0 && !r.Failed(); n-- {
		links = append(links, readLink(r, depth))
	}
	r.Leave()
	return links
}

func readLink(r *codec.Reader, depth int) (l Link) {
	for i := range r.EnterArray() {
		switch i {
		case 0:
			l.When = LinkWhen(r.Uint8())
		case 1:
			l.PassResult = r.Bool()
		case 2:
			enterWire(r, envelopeVersion)
			l.Envelope.readFields(r, depth)
			r.Leave()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return l
}
