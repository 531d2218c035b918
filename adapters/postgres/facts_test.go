package postgres

import (
	"strings"
	"testing"
	"time"
)

func TestAVersionBelow13IsRefused(t *testing.T) {
	for number, version := range map[int]string{90624: "9.6.24", 120022: "12.22", 130000: "13.0", 180001: "18.1"} {
		f := facts{server: "db:5432", number: number, version: version, encoding: "UTF8"}
		err := f.refuse()
		if number >= 130000 && err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if want := "server db:5432 is version " + version + ", want 13 or newer"; number < 130000 && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", version, err, want)
		}
	}
}

func TestAClockThatIsOffIsTold(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		promise string
		clock   time.Time
		want    bool
	}{
		{"between the instants", now.Add(time.Millisecond), false},
		{"a little ahead", now.Add(time.Second), false},
		{"ahead", now.Add(3 * time.Second), true},
		{"behind", now.Add(-3 * time.Second), true},
	} {
		f := facts{left: 10, local: true, skew: apart(tt.clock, now, now.Add(2*time.Millisecond))}
		told := false
		for _, finding := range f.findings(5) {
			told = told || !finding.info && strings.Contains(finding.text, "clock is not this machine's")
		}
		if told != tt.want {
			t.Errorf("%s: told %v, want %v", tt.promise, told, tt.want)
		}
	}
}
