package redis

import (
	"strings"
	"testing"
	"time"
)

func TestOldVersionsAreRefused(t *testing.T) {
	for version, fits := range map[string]bool{
		"7.0.0": true, "7.4.1": true, "8.0.2": true, "10.1.0": true,
		"6.2.14": false, "5.0.7": false, "": false, "unstable": false,
	} {
		f := facts{server: "redis.example:6379", version: version, mode: "standalone", role: "master"}
		err := f.refuse(false)
		if fits && err != nil || !fits && (err == nil || !strings.Contains(err.Error(), "server redis.example:6379 is version "+version+", want 7.0")) {
			t.Errorf("version %s: got %v, want refused: %v", version, err, !fits)
		}
	}
}

func TestAClockIsOffByWhatIsSure(t *testing.T) {
	before := time.Unix(1000, 0)
	after := before.Add(time.Second)
	for _, tt := range []struct{ clock, want time.Duration }{
		{0, 0}, {time.Second, 0}, {500 * time.Millisecond, 0},
		{5 * time.Second, 4 * time.Second}, {-3 * time.Second, -3 * time.Second},
	} {
		if got := apart(before.Add(tt.clock), before, after); got != tt.want {
			t.Errorf("a clock %v after the question, answered within 1 s: got %v, want %v", tt.clock, got, tt.want)
		}
	}
}

func TestAClockThatIsOffIsWarnedAbout(t *testing.T) {
	for skew, warns := range map[time.Duration]bool{
		0: false, time.Second: false, -time.Second: false, 3 * time.Second: true, -3 * time.Second: true, 24 * time.Hour: true,
	} {
		f := facts{skew: skew, unblocks: true, info: map[string]string{"aof_enabled": "1"}}
		warned := false
		for _, finding := range f.findings() {
			warned = warned || strings.Contains(finding.text, "clock") && !finding.info
		}
		if warned != warns {
			t.Errorf("skew %v: got a warning: %v, want %v", skew, warned, warns)
		}
	}
}
