package stem

import (
	"testing"
	"time"
)

func TestTheNumberOfSlotsFollowsDemand(t *testing.T) {
	cfg := Autoscale{Min: 2, Max: 10, Step: 3, UpCooldown: 2 * time.Second, DownCooldown: 10 * time.Second}
	type look struct {
		at                   int // seconds
		slots, spare, behind int
		want                 int
	}
	for _, tt := range []struct {
		name  string
		looks []look
	}{
		{"all busy and nothing behind", []look{{2, 4, 0, 0, 4}}},
		{"a step up", []look{{2, 4, 0, 100, 7}}},
		{"no more than wait", []look{{2, 4, 0, 2, 6}}},
		{"no more than the most", []look{{2, 9, 0, 100, 10}, {4, 10, 0, 100, 10}}},
		{"not while a slot is idle", []look{{2, 4, 1, 100, 4}}},
		{"not before the cool-down is over", []look{{2, 4, 0, 100, 7}, {3, 7, 0, 100, 7}, {4, 7, 0, 100, 10}}},
		{"a step down after a time of idleness", []look{{2, 8, 5, 0, 8}, {11, 8, 5, 0, 8}, {12, 8, 5, 0, 5}}},
		{"no more than was idle all the time", []look{{2, 8, 5, 0, 8}, {6, 8, 1, 0, 8}, {12, 8, 5, 0, 7}}},
		{"the time begins anew where all were busy once", []look{{2, 8, 5, 0, 8}, {6, 8, 0, 0, 8}, {12, 8, 5, 0, 8}, {21, 8, 5, 0, 8}, {22, 8, 5, 0, 5}}},
		{"no fewer than the fewest", []look{{2, 4, 4, 0, 4}, {12, 4, 4, 0, 2}, {24, 2, 2, 0, 2}, {40, 2, 2, 0, 2}}},
		{"not before the cool-down of a rise is over", []look{{2, 4, 0, 100, 7}, {4, 7, 7, 0, 7}, {13, 7, 7, 0, 7}, {14, 7, 7, 0, 4}, {16, 4, 4, 0, 4}, {26, 4, 4, 0, 2}}},
		{"back into its bounds", []look{{2, 50, 0, 100, 10}, {3, 1, 1, 0, 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			s := scaler{Autoscale: cfg, changed: start}
			for _, l := range tt.looks {
				asked := false
				got := s.next(start.Add(time.Duration(l.at)*time.Second), demand{l.slots, l.spare, func() int { asked = true; return l.behind }})
				if got != l.want {
					t.Fatalf("after %d s with %d slots: got %d, want %d", l.at, l.slots, got, l.want)
				}
				if asked && (l.spare > 0 || l.slots >= cfg.Max) {
					t.Errorf("after %d s: got the backlog asked for, want it not: it makes no difference", l.at)
				}
			}
		})
	}
}
