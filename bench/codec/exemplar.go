package main

import (
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// What follows is the exemplar of generated code: a task's argument as a user would
// write it, then the functions that stemgen writes for it. Goldens of the generator
// and the benchmarks follow this shape.

type Status uint8

type Address struct {
	Street  string `msgpack:"street"`
	City    string `msgpack:"city"`
	Zip     string `msgpack:"zip"`
	Country string `msgpack:"country"`
}

type Customer struct {
	ID    int64   `msgpack:"id"`
	Name  string  `msgpack:"name"`
	Email string  `msgpack:"email"`
	Home  Address `msgpack:"home"`
}

type Item struct {
	SKU        string `msgpack:"sku"`
	Title      string `msgpack:"title"`
	Quantity   int32  `msgpack:"quantity"`
	PriceCents int64  `msgpack:"price_cents"`
}

type Order struct {
	ID        string            `msgpack:"id"`
	Customer  Customer          `msgpack:"customer"`
	Items     []Item            // without a tag: the field's own name
	Labels    map[string]string `msgpack:"labels"`
	Signature []byte            `msgpack:"signature"`
	CreatedAt time.Time         `msgpack:"created_at"`
	Patience  time.Duration     `msgpack:"patience"`
	Billing   *Address          `msgpack:"billing"`
	Express   bool              `msgpack:"express"`
	Weight    float64           `msgpack:"weight"`
	Status    Status            `msgpack:"status"`
	Total     int64             `msgpack:"total"`
}

// ---- what stemgen writes ----

// orderCodec is what the task's definition holds.
var orderCodec = codec.Codec[Order]{
	Append: func(b []byte, v *Order) ([]byte, error) {
		if b == nil { // encode on the stack, so that the buffer is made once and fits
			var scratch [1024]byte
			return append(b, stemAppendOrder(scratch[:0], v)...), nil
		}
		return stemAppendOrder(b, v), nil
	},
	Read: stemReadOrder,
}

func stemAppendOrder(b []byte, v *Order) []byte {
	b = append(b, "\x8c\xa2id"...)
	b = codec.AppendString(b, v.ID)
	b = append(b, "\xa8customer"...)
	b = stemAppendCustomer(b, &v.Customer)
	b = append(b, "\xa5Items"...)
	b = stemAppendSliceItem(b, v.Items)
	b = append(b, "\xa6labels"...)
	b = stemAppendMapStringString(b, v.Labels)
	b = append(b, "\xa9signature"...)
	b = codec.AppendBytes(b, v.Signature)
	b = append(b, "\xaacreated_at"...)
	b = codec.AppendTime(b, v.CreatedAt)
	b = append(b, "\xa8patience"...)
	b = codec.AppendDuration(b, v.Patience)
	b = append(b, "\xa7billing"...)
	if v.Billing == nil {
		b = codec.AppendNil(b)
	} else {
		b = stemAppendAddress(b, v.Billing)
	}
	b = append(b, "\xa7express"...)
	b = codec.AppendBool(b, v.Express)
	b = append(b, "\xa6weight"...)
	b = codec.AppendFloat64(b, v.Weight)
	b = append(b, "\xa6status"...)
	b = codec.AppendUint(b, uint64(v.Status))
	b = append(b, "\xa5total"...)
	b = codec.AppendInt(b, v.Total)
	return b
}

func stemReadOrder(r *codec.Reader, v *Order) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "id":
			v.ID = r.Str()
		case "customer":
			stemReadCustomer(r, &v.Customer)
		case "Items":
			stemReadSliceItem(r, &v.Items)
		case "labels":
			stemReadMapStringString(r, &v.Labels)
		case "signature":
			v.Signature = r.Bytes()
		case "created_at":
			v.CreatedAt = r.Time()
		case "patience":
			v.Patience = r.Duration()
		case "billing":
			if r.Nil() {
				v.Billing = nil
			} else {
				v.Billing = new(Address)
				stemReadAddress(r, v.Billing)
			}
		case "express":
			v.Express = r.Bool()
		case "weight":
			v.Weight = r.Float64()
		case "status":
			v.Status = Status(r.Uint8())
		case "total":
			v.Total = r.Int64()
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

func stemAppendCustomer(b []byte, v *Customer) []byte {
	b = append(b, "\x84\xa2id"...)
	b = codec.AppendInt(b, v.ID)
	b = append(b, "\xa4name"...)
	b = codec.AppendString(b, v.Name)
	b = append(b, "\xa5email"...)
	b = codec.AppendString(b, v.Email)
	b = append(b, "\xa4home"...)
	b = stemAppendAddress(b, &v.Home)
	return b
}

func stemReadCustomer(r *codec.Reader, v *Customer) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "id":
			v.ID = r.Int64()
		case "name":
			v.Name = r.Str()
		case "email":
			v.Email = r.Str()
		case "home":
			stemReadAddress(r, &v.Home)
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

func stemAppendAddress(b []byte, v *Address) []byte {
	b = append(b, "\x84\xa6street"...)
	b = codec.AppendString(b, v.Street)
	b = append(b, "\xa4city"...)
	b = codec.AppendString(b, v.City)
	b = append(b, "\xa3zip"...)
	b = codec.AppendString(b, v.Zip)
	b = append(b, "\xa7country"...)
	b = codec.AppendString(b, v.Country)
	return b
}

func stemReadAddress(r *codec.Reader, v *Address) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "street":
			v.Street = r.Str()
		case "city":
			v.City = r.Str()
		case "zip":
			v.Zip = r.Str()
		case "country":
			v.Country = r.Str()
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

func stemAppendSliceItem(b []byte, v []Item) []byte {
	if v == nil {
		return codec.AppendNil(b)
	}
	b = codec.AppendArrayLen(b, len(v))
	for i := range v {
		b = stemAppendItem(b, &v[i])
	}
	return b
}

func stemReadSliceItem(r *codec.Reader, v *[]Item) {
	if r.Nil() {
		*v = nil
		return
	}
	n := r.EnterArray()
	s := make([]Item, codec.Cap[Item](n))
	for i := range n {
		if i == len(s) { // those came, so the rest is believed
			s = append(s, make([]Item, n-i)...)
		}
		stemReadItem(r, &s[i])
		if r.Failed() {
			r.InIndex(i)
			return
		}
	}
	r.Leave()
	*v = s
}

func stemAppendItem(b []byte, v *Item) []byte {
	b = append(b, "\x84\xa3sku"...)
	b = codec.AppendString(b, v.SKU)
	b = append(b, "\xa5title"...)
	b = codec.AppendString(b, v.Title)
	b = append(b, "\xa8quantity"...)
	b = codec.AppendInt(b, int64(v.Quantity))
	b = append(b, "\xabprice_cents"...)
	b = codec.AppendInt(b, v.PriceCents)
	return b
}

func stemReadItem(r *codec.Reader, v *Item) {
	for n := r.EnterMap(); n > 0; n-- {
		key := r.Key()
		switch string(key) {
		case "sku":
			v.SKU = r.Str()
		case "title":
			v.Title = r.Str()
		case "quantity":
			v.Quantity = r.Int32()
		case "price_cents":
			v.PriceCents = r.Int64()
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

func stemAppendMapStringString(b []byte, v map[string]string) []byte {
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

func stemReadMapStringString(r *codec.Reader, v *map[string]string) {
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
