package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

func outcome(id string, keep time.Duration) stem.Result {
	return stem.Result{ID: id, State: stem.StateSucceeded, Delivery: 1, Keep: keep}
}

func (l lab) save(rs ...stem.Result) {
	l.Helper()
	if err := l.Save(l.ctx(), rs...); err != nil {
		l.Fatalf("save: got error %v, want none", err)
	}
}

// loads expects what Load says of an id; nil means that there is a record.
func (l lab) loads(id string, want error) {
	l.Helper()
	_, err := l.Load(l.ctx(), id)
	if got := stem.ItemErr(err, 0); !errors.Is(got, want) {
		l.Errorf("load %s: got error %v, want %v", id, got, want)
	}
}

func TestTheRecordThatWouldExpireFirstGoesFirst(t *testing.T) {
	experiment(t, func(l lab) {
		l.MaxResults = 3
		l.save(outcome("day", 24*time.Hour), outcome("minute", time.Minute), outcome("hour", time.Hour))
		l.save(outcome("week", 7*24*time.Hour))
		l.loads("minute", stem.ErrResultExpired)
		l.save(outcome("second", time.Second))
		l.loads("second", stem.ErrResultExpired)
		time.Sleep(30 * time.Minute)
		l.save(outcome("later", time.Hour))
		l.loads("hour", stem.ErrResultExpired)
		for _, id := range []string{"day", "week", "later"} {
			l.loads(id, nil)
		}
	})
}

func TestARecordKeepsItsTimeWhateverGoesBeforeIt(t *testing.T) {
	experiment(t, func(l lab) {
		l.save(outcome("first", time.Minute))
		time.Sleep(30 * time.Second)
		l.save(outcome("second", time.Minute), outcome("third", time.Minute))
		again := outcome("first", time.Hour)
		again.Delivery = 2
		l.save(again)
		time.Sleep(59 * time.Second)
		for _, id := range []string{"first", "second", "third"} {
			l.loads(id, nil)
		}
	})
}

func TestARecordSavedAgainDoesNotCountTwice(t *testing.T) {
	experiment(t, func(l lab) {
		l.MaxResults = 2
		for i := range 10 {
			r := outcome("a", time.Duration(10-i)*time.Minute)
			r.Delivery = int64(i + 1)
			l.save(r)
		}
		l.save(outcome("b", time.Hour))
		l.loads("a", nil)
		l.loads("b", nil)
		l.remembers(map[string]int{"results": 2, "result rows": 2})
	})
}

func TestAnExpiredOutcomeIsRememberedAndExpiredNewsAreNot(t *testing.T) {
	experiment(t, func(l lab) {
		news := outcome("news", time.Hour)
		news.State = stem.StateRunning
		l.save(outcome("outcome", time.Hour), news)
		time.Sleep(time.Hour)
		l.loads("outcome", stem.ErrResultExpired)
		l.loads("news", stem.ErrNoResult)
		if _, err := l.Await(l.ctx(), "outcome"); !errors.Is(err, stem.ErrResultExpired) {
			t.Errorf("await: got error %v, want %v", err, stem.ErrResultExpired)
		}
		l.save(outcome("outcome", time.Hour))
		l.loads("outcome", nil)
	})
}

func TestAnOutcomeThatIsNotKeptReachesThoseWhoWait(t *testing.T) {
	experiment(t, func(l lab) {
		l.MaxResults = 1
		l.save(outcome("long", time.Hour))
		done := make(chan error, 1)
		go func() {
			_, err := l.Await(l.ctx(), "short")
			done <- err
		}()
		synctest.Wait()
		l.save(outcome("short", time.Second))
		if err := <-done; err != nil {
			t.Errorf("await: got error %v, want the outcome", err)
		}
	})
}

func TestResultsAreLetGo(t *testing.T) {
	experiment(t, func(l lab) {
		const each = 100
		for round := range 50 {
			for i := range each {
				r := outcome(fmt.Sprintf("%d/%d", round, i), time.Duration(1+i%7)*time.Second)
				if i%2 == 0 {
					r.State = stem.StateRunning
				}
				l.save(r)
			}
			time.Sleep(10 * time.Second)
		}
		if got := l.Footprint()["results"]; got > 2*each {
			t.Errorf("records: got %d, want those of the last round at most, and a few", got)
		}
		for range each {
			l.loads("none", stem.ErrNoResult)
		}
		l.remembers(map[string]int{"tombstones": 50 * each / 2})
	})
}

// TestResultsAreFoundAmongMany saves at random, ever more and then ever fewer,
// and compares with a map.
func TestResultsAreFoundAmongMany(t *testing.T) {
	experiment(t, func(l lab) {
		random := rand.New(rand.NewPCG(1, 2))
		standing := map[string]stem.Result{}
		until := map[string]time.Time{}
		for round := range 400 {
			for range min(round, 400-round) {
				r := outcome(fmt.Sprint(random.IntN(30_000)), time.Duration(1+random.IntN(20))*time.Second)
				r.Delivery = int64(round)
				if standing[r.ID].Delivery == r.Delivery {
					continue // twice in one round
				}
				l.save(r)
				standing[r.ID], until[r.ID] = r, time.Now().Add(r.Keep)
			}
			time.Sleep(time.Second / 4)
			for range 50 {
				id := fmt.Sprint(random.IntN(30_000))
				rs, err := l.Load(l.ctx(), id)
				want := standing[id]
				if !time.Now().Before(until[id]) {
					want = stem.Result{}
				}
				if !reflect.DeepEqual(rs[0], want) || (err == nil) != (want.ID != "") {
					t.Fatalf("round %d, load %s: got %+v, error %v, want %+v", round, id, rs[0], err, want)
				}
			}
		}
		time.Sleep(time.Minute)
		for id := range standing {
			if _, err := l.Load(l.ctx(), id); err == nil {
				t.Errorf("load %s at the end: got a record, want none", id)
			}
		}
		if got := l.Footprint()["results"]; got > 0 {
			t.Errorf("records at the end: got %d, want none", got)
		}
	})
}

func TestTombstonesAreBounded(t *testing.T) {
	experiment(t, func(l lab) {
		const many = 1<<18 + 1<<15 // the last 65,536 lie in two generations
		for i := range many / 256 {
			rs := make([]stem.Result, 256)
			for j := range rs {
				rs[j] = outcome(fmt.Sprint(256*i+j), 0)
			}
			l.save(rs...)
		}
		l.loads("0", stem.ErrNoResult)
		for i := many - 1<<16; i < many; i += 100 {
			l.loads(fmt.Sprint(i), stem.ErrResultExpired)
		}
		if got := l.Footprint()["tombstones"]; got > 1<<16 {
			t.Errorf("tombstones of one generation: got %d, want at most %d", got, 1<<16)
		}
	})
}

func TestWhoGivesUpWaitingIsForgotten(t *testing.T) {
	experiment(t, func(l lab) {
		ctx, cancel := context.WithTimeout(l.ctx(), time.Second)
		defer cancel()
		done := make(chan error, 3)
		for range cap(done) - 1 {
			go func() {
				_, err := l.Await(ctx, "a")
				done <- err
			}()
		}
		go func() {
			_, err := l.Await(l.ctx(), "a")
			done <- err
		}()
		for range cap(done) - 1 {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("await: got error %v, want %v", err, context.DeadlineExceeded)
			}
		}
		l.remembers(map[string]int{"watchers": 1})
		l.save(outcome("a", time.Hour))
		if err := <-done; err != nil {
			t.Errorf("await: got error %v, want the outcome", err)
		}
		l.remembers(map[string]int{"results": 1, "result rows": 1})
	})
}
