package stem

import "github.com/gostem/gostem/stem/codec"

// limit writes a limit as an array of its fields.
func (w *fieldWriter) limit(l *Limit) {
	w.key(keyLimit)
	w.b = codec.AppendArrayLen(w.b, 5)
	w.b = codec.AppendInt(w.b, int64(l.Rate.Count))
	w.b = appendDuration(w.b, l.Rate.Per)
	w.b = codec.AppendInt(w.b, int64(l.Rate.Burst))
	w.b = codec.AppendString(w.b, l.Key)
	w.b = codec.AppendInt(w.b, int64(l.Concurrency))
}

func readLimit(r *codec.Reader) *Limit {
	l := new(Limit)
	for i := range r.EnterArray() {
		switch i {
		case 0:
			l.Rate.Count = r.Int()
		case 1:
			l.Rate.Per = readDuration(r)
		case 2:
			l.Rate.Burst = r.Int()
		case 3:
			l.Key = r.Str()
		case 4:
			l.Concurrency = r.Int()
		default:
			r.Skip()
		}
	}
	r.Leave()
	return l
}
