// Package before is the tasks as they were deployed.
package before

import "context"

// Seen is told what the handlers of this build take.
var Seen = make(chan any, 10)

type Address struct {
	City string
	Zip  int32
}

type WelcomeArgs struct {
	To     string
	Name   string
	Tries  int8
	Places []Address
}

//stem:task name=mail.welcome
func welcome(ctx context.Context, args WelcomeArgs) error { Seen <- args; return nil }

type RemindArgs struct{ To string }

//stem:task name=mail.remind
func remind(ctx context.Context, args RemindArgs) error { Seen <- args; return nil }
