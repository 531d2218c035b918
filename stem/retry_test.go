package stem_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

func TestBackoffDelay(t *testing.T) {
	const almost = 1 - 1e-12 // the largest draw
	tests := []struct {
		name    string
		policy  stem.BackoffPolicy
		attempt int
		draw    float64
		want    time.Duration
	}{
		{"the zero policy retries at once", stem.BackoffPolicy{}, 5, almost, 0},
		{"fixed has no jitter", stem.FixedBackoff(10 * time.Second), 7, 0, 10 * time.Second},
		{"linear grows by its step", stem.LinearBackoff(time.Second, 0), 4, almost, 4 * time.Second},
		{"linear stops at its cap", stem.LinearBackoff(time.Second, 3*time.Second), 4, almost, 3 * time.Second},
		{"linear never overflows", stem.LinearBackoff(1<<62, 0), 1 << 40, almost, 365 * 24 * time.Hour},
		{"exponential starts at its base", stem.ExponentialBackoff(2*time.Second, time.Minute), 1, almost, 2 * time.Second},
		{"exponential doubles", stem.ExponentialBackoff(2*time.Second, time.Minute), 4, almost, 16 * time.Second},
		{"exponential stops at its cap", stem.ExponentialBackoff(2*time.Second, time.Minute), 40, almost, time.Minute},
		{"exponential never overflows", stem.ExponentialBackoff(1<<62, 0), 1 << 40, almost, 365 * 24 * time.Hour},
		{"a cap beyond a year is a year", stem.ExponentialBackoff(2*time.Second, 1<<63-1), 50, almost, 365 * 24 * time.Hour},
		{"full jitter reaches down to zero", stem.ExponentialBackoff(2*time.Second, time.Minute), 4, 0, 0},
		{"full jitter is even", stem.ExponentialBackoff(2*time.Second, time.Minute), 4, 0.5, 8 * time.Second},
		{"an attempt below one counts as one", stem.ExponentialBackoff(2*time.Second, time.Minute), -3, almost, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.policy.Delay(tt.attempt, tt.draw)
			if off := got - tt.want; off < -time.Millisecond || off > time.Millisecond {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSteeringErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	for name, err := range map[string]error{
		"Permanent":  stem.Permanent(cause),
		"RetryAfter": stem.RetryAfter(time.Second, cause),
	} {
		if !errors.Is(err, cause) || err.Error() != "cause" {
			t.Errorf("%s(cause): got %v, want an error that is and reads like its cause", name, err)
		}
	}
	if stem.Permanent(nil) != nil || stem.RetryAfter(time.Second, nil) != nil {
		t.Error("Permanent(nil) and RetryAfter(d, nil): got an error, want nil")
	}
}
