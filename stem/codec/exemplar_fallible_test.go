package codec_test

import (
	"fmt"
	"net/netip"

	"github.com/gostem/gostem/stem/codec"
)

// The second half of the exemplar: the two sorts of types whose encoding may fail.

// Visit reaches a marshaler of its own, netip.Addr's.
type Visit struct {
	From netip.Addr   `msgpack:"from"`
	Via  []netip.Addr `msgpack:"via"`
}

// Tree holds itself, so that a value of it may be of any depth, or without an end.
type Tree struct {
	Name     string `msgpack:"name"`
	Children []Tree `msgpack:"children"`
}

// ---- what stemgen writes ----

var visitCodec = codec.Codec[Visit]{
	Append: func(b []byte, v *Visit) ([]byte, error) {
		if b == nil { // encode on the stack, so that the buffer is made once and fits
			var scratch [1024]byte
			enc, err := stemAppendVisit(scratch[:0], v)
			return append(b, enc...), err
		}
		return stemAppendVisit(b, v)
	},
	Read: stemReadVisit,
}

func stemAppendVisit(b []byte, v *Visit) ([]byte, error) {
	var err error
	b = append(b, "\x82\xa4from"...)
	if b, err = stemAppendAddr(b, &v.From); err != nil {
		return b, fmt.Errorf("from: %w", err)
	}
	b = append(b, "\xa3via"...)
	if b, err = stemAppendSliceAddr(b, v.Via); err != nil {
		return b, fmt.Errorf("via: %w", err)
	}
	return b, nil
}

func stemReadVisit(r *codec.Reader, v *Visit) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "from":
			stemReadAddr(r, &v.From)
		case "via":
			stemReadSliceAddr(r, &v.Via)
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

func stemAppendAddr(b []byte, v *netip.Addr) ([]byte, error) {
	data, err := v.MarshalBinary()
	if err != nil {
		return b, err
	}
	return codec.AppendBytes(b, data), nil
}

func stemReadAddr(r *codec.Reader, v *netip.Addr) {
	if r.Nil() {
		*v = netip.Addr{}
		return
	}
	if data := r.View(); !r.Failed() {
		r.Fail(v.UnmarshalBinary(data))
	}
}

func stemAppendSliceAddr(b []byte, v []netip.Addr) ([]byte, error) {
	if v == nil {
		return codec.AppendNil(b), nil
	}
	b = codec.AppendArrayLen(b, len(v))
	for i := range v {
		var err error
		if b, err = stemAppendAddr(b, &v[i]); err != nil {
			return b, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return b, nil
}

func stemReadSliceAddr(r *codec.Reader, v *[]netip.Addr) {
	if r.Nil() {
		*v = nil
		return
	}
	n := r.EnterArray()
	s := make([]netip.Addr, codec.Cap[netip.Addr](n))
	for i := range n {
		if i == len(s) { // those came, so the rest is believed
			s = append(s, make([]netip.Addr, n-i)...)
		}
		stemReadAddr(r, &s[i])
		if r.Failed() {
			r.InIndex(i)
			return
		}
	}
	r.Leave()
	*v = s
}

var treeCodec = codec.Codec[Tree]{
	Append: func(b []byte, v *Tree) ([]byte, error) {
		if b == nil { // encode on the stack, so that the buffer is made once and fits
			var scratch [1024]byte
			enc, err := stemAppendTree(scratch[:0], v, 1)
			return append(b, enc...), err
		}
		return stemAppendTree(b, v, 1)
	},
	Read: stemReadTree,
}

// stemAppendTree takes the depth at which v lies, since Tree is recursive.
func stemAppendTree(b []byte, v *Tree, depth int) ([]byte, error) {
	if depth > codec.MaxDepth {
		return b, codec.ErrTooDeep
	}
	var err error
	b = append(b, "\x82\xa4name"...)
	b = codec.AppendString(b, v.Name)
	b = append(b, "\xa8children"...)
	if b, err = stemAppendSliceTree(b, v.Children, depth+1); err != nil {
		return b, err // a path would be as long as the tree is deep
	}
	return b, nil
}

func stemReadTree(r *codec.Reader, v *Tree) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "name":
			v.Name = r.Str()
		case "children":
			stemReadSliceTree(r, &v.Children)
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

func stemAppendSliceTree(b []byte, v []Tree, depth int) ([]byte, error) {
	if v == nil {
		return codec.AppendNil(b), nil
	}
	if depth > codec.MaxDepth {
		return b, codec.ErrTooDeep
	}
	b = codec.AppendArrayLen(b, len(v))
	for i := range v {
		var err error
		if b, err = stemAppendTree(b, &v[i], depth+1); err != nil {
			return b, err
		}
	}
	return b, nil
}

func stemReadSliceTree(r *codec.Reader, v *[]Tree) {
	if r.Nil() {
		*v = nil
		return
	}
	n := r.EnterArray()
	s := make([]Tree, codec.Cap[Tree](n))
	for i := range n {
		if i == len(s) { // those came, so the rest is believed
			s = append(s, make([]Tree, n-i)...)
		}
		stemReadTree(r, &s[i])
		if r.Failed() {
			r.InIndex(i)
			return
		}
	}
	r.Leave()
	*v = s
}
