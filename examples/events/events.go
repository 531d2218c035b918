// Package events has types that are kept as bytes without being the args of a generated task.
package events

import "time"

//go:generate go tool stemgen

// OrderPaid is published when an order is paid.
//
//stem:codec
type OrderPaid struct {
	OrderID string    `msgpack:"order_id"`
	Cents   int64     `msgpack:"cents"`
	At      time.Time `msgpack:"at"`
}
