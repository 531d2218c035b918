package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

const (
	// lookAgain is how often outcomes are looked for that nobody has announced.
	lookAgain = 500 * time.Millisecond
	// lookSoon is the same at first where nobody can announce anything.
	lookSoon = 20 * time.Millisecond
	// waiterFor is how long others announce outcomes since this process last said that it waits.
	waiterFor = 30 * time.Second
)

// Await blocks until a record is final. All calls of a process share one query for all that they wait for: when somebody has
// announced outcomes, and now and then.
func (s *Store) Await(ctx context.Context, id string) (stem.Result, error) {
	if err := s.begin(); err != nil {
		return stem.Result{}, err
	}
	defer s.calls.Done()
	a := s.watch.add(id)
	defer s.watch.remove(a)
	select {
	case o := <-a.found:
		return o.result, o.err
	case <-ctx.Done():
		return stem.Result{}, ctx.Err()
	case <-s.closing.Done():
		return stem.Result{}, stem.ErrClosed
	}
}

// watch is what the calls of Await of a process share: a goroutine that looks, while there are any.
type watch struct {
	store *Store
	id    string // of this process among those that wait

	mu      sync.Mutex
	byID    map[string]map[*awaiter]struct{}
	running bool
	kicked  chan struct{} // holds one
}

// awaiter is one call of Await.
type awaiter struct {
	id    string
	found chan outcome
}

type outcome struct {
	result stem.Result
	err    error
}

func (w *watch) add(id string) *awaiter {
	a := &awaiter{id: id, found: make(chan outcome, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID == nil {
		w.byID, w.kicked, w.id = make(map[string]map[*awaiter]struct{}), make(chan struct{}, 1), rand.Text()
	}
	if w.byID[id] == nil {
		w.byID[id] = make(map[*awaiter]struct{})
	}
	w.byID[id][a] = struct{}{}
	w.kick()
	if !w.running {
		w.running = true
		w.store.calls.Add(1) // the caller is one of them, so none waits yet for there to be none
		go w.run()
	}
	return a
}

func (w *watch) remove(a *awaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byID[a.id], a)
	if len(w.byID[a.id]) == 0 {
		delete(w.byID, a.id)
	}
	if len(w.byID) == 0 {
		w.kick() // so that the goroutine ends
	}
}

func (w *watch) kick() {
	select {
	case w.kicked <- struct{}{}:
	default:
	}
}

// look looks soon, if somebody waits for one of these.
func (w *watch) look(ids []*string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) == 0 {
		return
	}
	for _, id := range ids {
		if id != nil && w.byID[*id] != nil {
			w.kick()
			return
		}
	}
}

// lookAtAll looks soon, if somebody waits for anything.
func (w *watch) lookAtAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) > 0 {
		w.kick()
	}
}

// ids gives what is waited for; when that is nothing the goroutine ends.
func (w *watch) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) == 0 || w.store.closing.Err() != nil {
		w.running = false
		return nil
	}
	ids := make([]string, 0, len(w.byID))
	for id := range w.byID {
		ids = append(ids, id)
	}
	return ids
}

// run looks for outcomes until nobody waits.
func (w *watch) run() {
	defer w.store.calls.Done()
	var said time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer w.say(0)
	pause := lookSoon
	for {
		ids := w.ids()
		if ids == nil {
			return
		}
		if time.Since(said) > waiterFor/3 && w.say(waiterFor) {
			said = time.Now()
		}
		begun := time.Now()
		found := w.find(ids)
		switch {
		case w.store.listener.up():
			pause = lookAgain
		case found:
			pause = lookSoon
		}
		timer.Reset(pause)
		select {
		case <-w.kicked:
			// One look answers for all that was announced meanwhile.
			if !w.rest(min(time.Since(begun), lookAgain)) {
				continue
			}
		case <-timer.C:
		case <-w.store.closing.Done():
		}
		pause = min(2*pause, lookAgain)
	}
}

// rest waits, and reports whether the store is still open.
func (w *watch) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.store.closing.Done():
		return false
	}
}

// say says to others that this process waits, or no longer.
func (w *watch) say(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	on := w.store.on
	if d == 0 {
		return on.exec(ctx, w.store.sql.notWaiter, w.id) == nil
	}
	return on.exec(ctx, w.store.sql.waiter, w.store.offset.Load(), w.id, micros(d)) == nil
}

// find looks for outcomes of ids and hands them out. It reports whether there was one.
func (w *watch) find(ids []string) (found bool) {
	ctx, cancel := bound(w.store.closing)
	defer cancel()
	err := w.store.on.query(ctx, func(scan func(...any) error) error {
		var id string
		var live bool
		var record []byte
		if err := scan(&id, &live, &record); err != nil {
			return err
		}
		found = true
		r, err := parseRecord(live, record)
		w.hand(id, outcome{r, err})
		return nil
	}, w.store.sql.await, w.store.offset.Load(), ids)
	if err != nil && w.store.closing.Err() == nil && !errors.Is(err, context.Canceled) {
		w.failed(ids, err)
	}
	return found
}

// failed tells those who wait that the store cannot be asked.
func (w *watch) failed(ids []string, err error) {
	err = w.store.failed("await", err)
	for _, id := range ids {
		w.hand(id, outcome{err: err})
	}
}

func (w *watch) hand(id string, o outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.byID[id] {
		select {
		case a.found <- o:
		default:
		}
	}
}
