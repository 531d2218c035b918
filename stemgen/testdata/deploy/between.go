// Package after is the tasks of a build that was deployed next: a field is new, and an
// integer is wider.
package after

import "context"

type Address struct {
	City string
	Zip  int32
}

type WelcomeArgs struct {
	To     string
	Name   string
	Tries  int64
	Places []Address
	Locale string
}

//stem:task name=mail.welcome
func welcome(ctx context.Context, args WelcomeArgs) error { return nil }

type RemindArgs struct{ To string }

//stem:task name=mail.remind
func remind(ctx context.Context, args RemindArgs) error { return nil }
