package health_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/health"
)

// condition is a worker that is in it.
type condition stem.Health

func (c condition) Health() stem.Health { return stem.Health(c) }

var (
	well     = condition{Worker: "well", Phase: stem.PhaseRunning, Silence: 2 * time.Second, Lease: 15 * time.Second, Slots: 4, InHand: 3, Running: 2, Stuck: 1}
	starting = condition{Worker: "new", Phase: stem.PhaseStarting, Lease: 15 * time.Second, Slots: 4}
	dead     = condition{Worker: "dead", Phase: stem.PhaseRunning, Lease: 15 * time.Second, Overdue: time.Minute}
)

func get(method, path string, workers ...health.Reporter) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	health.Handler(workers...).ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer
}

func TestEachQuestionHasItsAnswer(t *testing.T) {
	for _, tt := range []struct {
		path    string
		workers []health.Reporter
		want    int
	}{
		{"/livez", []health.Reporter{well, starting}, 200},
		{"/readyz", []health.Reporter{well}, 200},
		{"/stem/readyz", []health.Reporter{well, starting}, 503},
		{"/stem/livez", []health.Reporter{well, dead}, 503},
		{"/livez", nil, 200},
		{"/", []health.Reporter{well}, 404},
		{"/metrics", []health.Reporter{well}, 404},
	} {
		answer := get("GET", tt.path, tt.workers...)
		if answer.Code != tt.want {
			t.Errorf("%s: got %d, want %d", tt.path, answer.Code, tt.want)
		}
		if tt.want != 404 && (answer.Header().Get("Content-Type") != "application/json" || answer.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%s: got the header %v, want JSON that nobody keeps", tt.path, answer.Header())
		}
	}
	if answer := get("POST", "/livez", well); answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d, want it refused", answer.Code)
	}
}

func TestTheBodySaysWhy(t *testing.T) {
	var got health.Report
	if err := json.Unmarshal(get("GET", "/readyz", well, starting, dead).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := health.Report{
		Status: "failing",
		Why: []string{
			"worker new is starting: the store has not answered yet",
			"worker dead: a loop that receives or renews is overdue for 1m0s",
		},
		Workers: []health.Worker{
			{Name: "well", Phase: "running", Silence: 2, Slots: 4, InHand: 3, Running: 2, Stuck: 1},
			{Name: "new", Phase: "starting", Slots: 4},
			{Name: "dead", Phase: "running", Overdue: 60},
		},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
