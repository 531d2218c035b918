// Package after is the tasks as they are now: a field has another name, one is gone, and
// so has a task another name.
package after

import "context"

// Seen is told what the handlers of this build take.
var Seen = make(chan any, 10)

type Place struct {
	Town string `msgpack:"town,alias:City"`
	Zip  *int64
}

type WelcomeArgs struct {
	Recipient string `msgpack:",alias:To"`
	Tries     int
	Places    []Place
	Locale    string
}

//stem:task name=mail.welcome
func welcome(ctx context.Context, args *WelcomeArgs) error { Seen <- *args; return nil }

type NudgeArgs struct{ To, Via string }

//stem:task name=mail.nudge alias=mail.remind
func nudge(ctx context.Context, args NudgeArgs) error { Seen <- args; return nil }
