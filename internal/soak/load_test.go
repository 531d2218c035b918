//go:build unix

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// pace is how long the load waits between two enqueues: a steady load that leaves the machine time for other things.
const pace = 25 * time.Millisecond

// load is a client that enqueues tasks of all kinds.
type load struct {
	*soak
	ctx              context.Context
	random           *rand.Rand
	count            int // of tasks that the ledger knows of
	linksEnd         time.Time
	waiting          sync.WaitGroup
	asked            int
	answered, silent atomic.Int64
}

// load enqueues tasks of all kinds until the answer is called, which tells how many there have been.
func (k *soak) load() (enough func() int) {
	ctx, cancel := context.WithTimeout(context.Background(), k.span+5*faultsite.Patience)
	l := &load{soak: k, ctx: ctx, random: rand.New(rand.NewPCG(k.Random.Uint64(), 0))}
	l.linksEnd = time.Now().Add(time.Duration(float64(k.span) * warmUp))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			if err := l.enqueue(fmt.Sprint("soak-", n)); err != nil {
				k.t.Errorf("an enqueue was never acknowledged: %v", err)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(pace):
			}
		}
	}()
	return func() int {
		k.t.Helper()
		close(stop)
		<-stopped
		l.waiting.Wait()
		cancel()
		k.t.Logf("%d results were awaited, %d came, %d did not", l.asked, l.answered.Load(), l.silent.Load())
		if l.answered.Load()*10 < int64(l.asked)*9 || l.asked == 0 {
			k.t.Errorf("got %d of %d results that were awaited, want nine of ten", l.answered.Load(), l.asked)
		}
		return l.count
	}
}

// enqueue enqueues a task of some kind.
func (l *load) enqueue(id string) error {
	span := fmt.Sprint(1+l.random.IntN(20), "ms")
	switch l.random.IntN(7) {
	case 0: // plain
		return l.add(faultsite.Chore, id, span, nil)
	case 1: // delayed
		return l.add(faultsite.Chore, id, span, nil, stem.Delay(time.Duration(l.random.Int64N(int64(3*time.Second)))))
	case 2: // its first attempt fails, its second tells of its progress and enqueues a child
		return l.add(faultsite.Life, id, "", []string{id + "/child"}, stem.Backoff(stem.FixedBackoff(100*time.Millisecond)))
	case 3: // unique
		return l.addUnique(id, span)
	case 4: // limited
		return l.add(faultsite.Narrow, id, span, nil)
	case 5: // followed, by what is followed. Stores know links for a day, so there are some only until the run is warm.
		if time.Now().After(l.linksEnd) {
			return l.add(faultsite.Chore, id, span, nil)
		}
		next := faultsite.Chore.With("1ms", append(faultsite.Kept(l.keep()), stem.OnSuccess(faultsite.Chore.With("1ms", faultsite.Kept(l.keep())...)))...)
		return l.add(faultsite.Chore, id, span, []string{id + "/ok/0", id + "/ok/0/ok/0"}, stem.OnSuccess(next))
	default: // awaited
		return l.addAwaited(id, span)
	}
}

// add enqueues a task, and enters it into the ledger with what comes of it.
func (l *load) add(task *stem.TaskDefinition[string, string], id, args string, more []string, opts ...stem.Option) error {
	if err := l.Enqueue(l.ctx, task, id, args, opts...); err != nil {
		return err
	}
	l.count += 1 + len(more)
	for _, id := range more {
		if err := l.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id}); err != nil {
			return err
		}
	}
	return nil
}

// addUnique enqueues one of eight tasks of which there is only one at a time. The ledger knows those that are not another's.
func (l *load) addUnique(id, span string) error {
	kind := fmt.Sprint("kind-", l.random.IntN(8))
	for {
		job, err := l.once(id, span, stem.Unique(stem.UntilDone), stem.UniqueKey(kind))
		switch {
		case err == nil && job.ID() != id:
			return nil
		case err == nil:
			l.count++
			return l.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id})
		case l.ctx.Err() != nil:
			return err
		}
		faultsite.Yield(5 * time.Millisecond)
	}
}

// once tries to enqueue a chore.
func (l *load) once(id, span string, opts ...stem.Option) (stem.Job[string], error) {
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	return faultsite.Chore.Via(l.Client).Enqueue(ctx, span, append(opts, stem.WithID(id))...)
}

// addAwaited enqueues a chore and waits for its result meanwhile. Where the store is away, that may take longer than the result is kept.
func (l *load) addAwaited(id, span string) error {
	job, err := l.once(id, span)
	if err != nil { // whether it is there nobody knows: the same again finds out
		return l.add(faultsite.Chore, id, span, nil)
	}
	l.count++
	if err := l.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id}); err != nil {
		return err
	}
	l.asked++
	l.waiting.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, faultsite.Patience)
		defer cancel()
		if _, err := job.Wait(ctx); err != nil {
			l.silent.Add(1)
			l.t.Logf("the result of %s did not come: %v", id, err)
			return
		}
		l.answered.Add(1)
	})
	return nil
}
