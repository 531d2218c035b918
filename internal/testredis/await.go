//go:build unix

package testredis

import (
	"fmt"
	"time"
)

// await asks until the answer is nil. What still stands in the way after a time is the error.
func await(what string, within time.Duration, missing func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := missing()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v: %w", what, within, err)
		}
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
	}
}
