package redis

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// watch is what the calls of Await of a process share: one subscription, while there are any.
type watch struct {
	mu       sync.Mutex
	byBucket map[string]map[*watcher]struct{}
	count    int
	sub      *subscription
	shut     bool

	listeners sync.WaitGroup
}

// watcher is one call of Await.
type watcher struct {
	id, bucket string
	found      chan stem.Result
	subscribed <-chan struct{}
}

// subscription is a connection that hears of outcomes, and the goroutine that listens.
type subscription struct {
	pubsub *redis.PubSub
	ready  chan struct{} // closed when the server has confirmed it
	cancel context.CancelFunc
	idle   *time.Timer
}

// linger is how long a subscription is kept that nobody needs: a program that waits for one result
// after the other shall not subscribe for each.
const linger = 5 * time.Second

func (s *watch) add(c *core, id string) *watcher {
	w := &watcher{id: id, bucket: c.bucket(id), found: make(chan stem.Result, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byBucket == nil {
		s.byBucket = make(map[string]map[*watcher]struct{})
	}
	if s.byBucket[w.bucket] == nil {
		s.byBucket[w.bucket] = make(map[*watcher]struct{})
	}
	s.byBucket[w.bucket][w] = struct{}{}
	s.count++
	if s.sub == nil {
		s.sub = s.subscribe(c)
	} else if s.sub.idle != nil {
		s.sub.idle.Stop()
		s.sub.idle = nil
	}
	w.subscribed = s.sub.ready
	return w
}

func (s *watch) remove(c *core, w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byBucket[w.bucket], w)
	if len(s.byBucket[w.bucket]) == 0 {
		delete(s.byBucket, w.bucket)
	}
	s.count--
	if s.count > 0 || s.sub == nil || s.shut {
		return
	}
	sub := s.sub
	sub.idle = time.AfterFunc(linger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sub == sub && s.count == 0 {
			s.sub = nil
			sub.cancel()
		}
	})
}

func (s *watch) close() {
	s.mu.Lock()
	s.shut = true
	sub := s.sub
	s.sub = nil
	if sub != nil && sub.idle != nil {
		sub.idle.Stop()
	}
	s.mu.Unlock()
	if sub != nil {
		sub.cancel()
	}
	s.listeners.Wait() // also for one that nobody has needed for a while, and that is about to end
}

func (s *watch) subscribe(c *core) *subscription {
	ctx, cancel := context.WithCancel(c.closing)
	sub := &subscription{ready: make(chan struct{}), cancel: cancel}
	sub.pubsub = c.client.Subscribe(ctx)
	s.listeners.Go(func() {
		defer sub.pubsub.Close()
		s.listen(ctx, c, sub)
	})
	return sub
}

// listen hears announcements until ctx ends. A subscription that breaks is made anew: whoever waits looks
// for itself meanwhile.
func (s *watch) listen(ctx context.Context, c *core, sub *subscription) {
	stop := context.AfterFunc(ctx, func() { _ = sub.pubsub.Close() }) // it does not watch the context
	defer stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	asked := false
	for ctx.Err() == nil {
		if !asked {
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
			if err := sub.pubsub.Subscribe(ctx, c.channel()); err != nil {
				pause.Reset(lookAgain / 2)
				continue
			}
			asked = true
		}
		message, err := sub.pubsub.Receive(ctx)
		switch m := message.(type) {
		case *redis.Subscription:
			select {
			case <-sub.ready:
				s.hear(ctx, c, s.buckets()) // it had broken: something may have been missed
			default:
				close(sub.ready)
			}
		case *redis.Message:
			s.hear(ctx, c, strings.Split(m.Payload, "\n"))
		}
		if err != nil && ctx.Err() == nil {
			// The driver dials again at the next Receive, and subscribes.
			pause.Reset(lookAgain / 2)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}
}

func (s *watch) buckets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	buckets := make([]string, 0, len(s.byBucket))
	for bucket := range s.byBucket {
		buckets = append(buckets, bucket)
	}
	return buckets
}

// hear reads what is waited for in those hashes that were announced.
func (s *watch) hear(ctx context.Context, c *core, buckets []string) {
	var ids []string
	s.mu.Lock()
	for _, bucket := range buckets {
		for w := range s.byBucket[bucket] {
			ids = append(ids, w.id)
		}
	}
	s.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	call, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	rs, err := c.load(call, ids)
	if rs == nil {
		return // those who wait look for themselves
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, id := range ids {
		if stem.ItemErr(err, i) != nil || !rs[i].State.Terminal() {
			continue
		}
		for w := range s.byBucket[c.bucket(id)] {
			if w.id == id {
				select {
				case w.found <- rs[i]:
				default:
				}
			}
		}
	}
}
