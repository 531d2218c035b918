// Package letters has the tasks of an application that sends letters.
package letters

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

//go:generate go tool stemgen

// Letter is what is sent.
type Letter struct {
	// To is who gets it; nobody refuses it.
	To string
	// Copies is how many are sent, one where it is 0.
	Copies int8
	// Stamped is when it was stamped.
	Stamped time.Time
	// Dry is how long the ink has to dry.
	Dry time.Duration
	// Enclosed is what comes with it.
	Enclosed []byte
	// Notes are for the postman.
	Notes map[string]string
	// Token is a secret.
	Token string
}

// send sends a letter.
//
//stem:task name=letters.send alias=letter queue=letters retries=0
func send(ctx context.Context, letter Letter) (string, error) {
	if letter.To == "nobody" {
		return "", stem.Permanent(fmt.Errorf("nobody of this name"))
	}
	return fmt.Sprintf("%d to %s", max(letter.Copies, 1), letter.To), nil
}

// sweep empties the letterbox.
//
//stem:task name=letters.sweep queue=letters
func sweep(ctx context.Context) error { return nil }
