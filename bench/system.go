package main

import (
	"context"
	"encoding/binary"
	"strings"
	"time"
)

// system is one of those compared, as a program uses it: connected to a server.
// Tasks have numbers, which travel in payloads of 104 to 136 bytes, 120 on average: stores round up what they
// keep, and a single length says more of that than of the system.
type system interface {
	// Enqueue enqueues a task by the system's call for one.
	Enqueue(ctx context.Context, n int32) error
	// EnqueueMany enqueues tasks by the system's call for many, or by a loop where it has none.
	// A due that is not zero is when they shall run.
	EnqueueMany(ctx context.Context, from, to int32, due time.Time) error
	// Work runs tasks of queues until ctx ends: ran is called where a handler begins. Queues nil and
	// slots 0 are the system's defaults.
	Work(ctx context.Context, queues []string, slots int, ran func(n int32)) error
	// Left tells how many tasks the store has that are not settled, or 1 for any number of them.
	Left(ctx context.Context) (int64, error)
}

const (
	payloadSize = 120     // on average
	payloadSpan = 16      // above and below
	firstTask   = 1 << 20 // so that all numbers are of one length in MessagePack
)

// sizeOf is how long the payload of a task is.
func sizeOf(n int32) int { return payloadSize - payloadSpan + int(n)%(2*payloadSpan+1) }

var text = strings.Repeat("x", payloadSize+payloadSpan)

// filler is what a payload carries beside the number, where all else takes so many bytes.
func filler(n int32, beside int) string { return text[:sizeOf(n)-beside] }

// payload is what hand-written loops and asynq carry.
func payload(n int32) []byte {
	b := make([]byte, sizeOf(n))
	binary.BigEndian.PutUint32(b, uint32(n))
	return b
}

func number(payload []byte) int32 { return int32(binary.BigEndian.Uint32(payload)) }
