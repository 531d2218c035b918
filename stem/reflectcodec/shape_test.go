package reflectcodec_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// Parcel has a codec of either sort: reflection's, and one of the shape that stemgen
// writes (see stem/codec/exemplar_test.go for all of that shape).
type Parcel struct {
	Name   string            `msgpack:"name"`
	Grams  int32             `msgpack:"grams"`
	Sent   time.Time         `msgpack:"sent"`
	Wait   time.Duration     `msgpack:"wait"`
	Labels map[string]string `msgpack:"labels"`
	Seal   []byte
	Inside []Parcel `msgpack:"inside"`
	Beside *Parcel  `msgpack:"beside"`
	Weight float32
}

func stemAppendParcel(b []byte, v *Parcel) []byte {
	b = append(b, "\x89\xa4name"...)
	b = codec.AppendString(b, v.Name)
	b = append(b, "\xa5grams"...)
	b = codec.AppendInt(b, int64(v.Grams))
	b = append(b, "\xa4sent"...)
	b = codec.AppendTime(b, v.Sent)
	b = append(b, "\xa4wait"...)
	b = codec.AppendDuration(b, v.Wait)
	b = append(b, "\xa6labels"...)
	b = stemAppendLabels(b, v.Labels)
	b = append(b, "\xa4Seal"...)
	b = codec.AppendBytes(b, v.Seal)
	b = append(b, "\xa6inside"...)
	b = stemAppendParcels(b, v.Inside)
	b = append(b, "\xa6beside"...)
	if v.Beside == nil {
		b = codec.AppendNil(b)
	} else {
		b = stemAppendParcel(b, v.Beside)
	}
	b = append(b, "\xa6Weight"...)
	return codec.AppendFloat32(b, v.Weight)
}

func stemAppendLabels(b []byte, v map[string]string) []byte {
	if v == nil {
		return codec.AppendNil(b)
	}
	b = codec.AppendMapLen(b, len(v))
	for _, e := range codec.SortedEntries(make([]codec.Entry[string, string], 0, 8), v) {
		b = codec.AppendString(b, e.Key)
		b = codec.AppendString(b, e.Value)
	}
	return b
}

func stemAppendParcels(b []byte, v []Parcel) []byte {
	if v == nil {
		return codec.AppendNil(b)
	}
	b = codec.AppendArrayLen(b, len(v))
	for i := range v {
		b = stemAppendParcel(b, &v[i])
	}
	return b
}

func stemReadParcel(r *codec.Reader, v *Parcel) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "name":
			v.Name = r.Str()
		case "grams":
			v.Grams = r.Int32()
		case "sent":
			v.Sent = r.Time()
		case "wait":
			v.Wait = r.Duration()
		case "labels":
			stemReadLabels(r, &v.Labels)
		case "Seal":
			v.Seal = r.Bytes()
		case "inside":
			stemReadParcels(r, &v.Inside)
		case "beside":
			if r.Nil() {
				v.Beside = nil
			} else {
				v.Beside = new(Parcel)
				stemReadParcel(r, v.Beside)
			}
		case "Weight":
			v.Weight = r.Float32()
		default:
			r.Skip()
		}
		if r.Failed() {
			r.InField(key)
			return
		}
	}
	r.Leave()
}

func stemReadLabels(r *codec.Reader, v *map[string]string) {
	if r.Nil() {
		*v = nil
		return
	}
	n := r.EnterMap()
	m := make(map[string]string, codec.MapCap[string, string](n))
	for i := range n {
		k := r.Str()
		m[k] = r.Str()
		if r.Failed() {
			r.InIndex(i)
			return
		}
	}
	r.Leave()
	*v = m
}

func stemReadParcels(r *codec.Reader, v *[]Parcel) {
	if r.Nil() {
		*v = nil
		return
	}
	n := r.EnterArray()
	s := make([]Parcel, codec.Cap[Parcel](n))
	for i := range n {
		if i == len(s) {
			s = append(s, make([]Parcel, n-i)...)
		}
		stemReadParcel(r, &s[i])
		if r.Failed() {
			r.InIndex(i)
			return
		}
	}
	r.Leave()
	*v = s
}

// parcels draws parcels with parcels inside, down to depth.
func parcels(depth int) *rapid.Generator[Parcel] {
	return rapid.Custom(func(t *rapid.T) Parcel {
		v := Parcel{
			Name:   rapid.String().Draw(t, "name"),
			Grams:  rapid.Int32().Draw(t, "grams"),
			Sent:   time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")),
			Wait:   time.Duration(rapid.Int64().Draw(t, "wait")),
			Labels: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "labels"),
			Seal:   rapid.SliceOf(rapid.Byte()).Draw(t, "seal"),
			Weight: rapid.Float32().Draw(t, "weight"),
		}
		if depth > 0 {
			v.Inside = rapid.SliceOfN(parcels(depth-1), 0, 3).Draw(t, "inside")
			v.Beside = rapid.Ptr(parcels(depth-1), true).Draw(t, "beside")
		}
		return v
	})
}

func TestReflectionAndGeneratedCodeReadAndWriteTheSame(t *testing.T) {
	reflected := reflectcodec.Of[Parcel]()
	rapid.Check(t, func(rt *rapid.T) {
		v := parcels(2).Draw(rt, "parcel")
		theirs, err := reflected.Append([]byte("kept"), &v)
		if err != nil {
			rt.Fatal(err)
		}
		ours := stemAppendParcel([]byte("kept"), &v)
		if !bytes.Equal(theirs, ours) {
			rt.Fatalf("got %x, want %x", theirs, ours)
		}
		var byReflection, byCode Parcel
		if err := reflected.Decode(ours[4:], &byReflection); err != nil {
			rt.Fatal(err)
		}
		r := codec.NewReader(theirs[4:])
		stemReadParcel(&r, &byCode)
		if err := r.Finish(); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(byReflection, v); diff != "" {
			rt.Fatalf("by reflection: got -, want +:\n%s", diff)
		}
		if diff := cmp.Diff(byCode, v); diff != "" {
			rt.Fatalf("by code: got -, want +:\n%s", diff)
		}
	})
}
