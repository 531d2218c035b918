package stem

import "slices"

// spareFailures is how many endings more than there are slots may have failed
// to settle before slots wait: one that fails for ever must not stop a worker of
// one slot, and a store that takes no settlement must.
const spareFailures = 10

// failed are the endings whose settlement has failed. They are tried again for
// as long as the worker lives: as long as its session does, nobody else would end
// these deliveries. A goroutine sees to that, which ends when none is left; so neither
// one bad ending nor a store that is away holds up a slot.
type failed struct {
	endings  []ending
	retrying bool
	err      error // the latest
}

// fail hands endings to the retrier. mu is held.
func (s *settler) fail(endings []ending, err error) {
	if len(endings) == 0 {
		return
	}
	s.failed.endings = append(s.failed.endings, endings...)
	s.failed.err = err
	if !s.failed.retrying {
		s.failed.retrying = true
		s.w.slots.Go(s.retry)
	}
}

// retry tries failed endings again, with back-off. After a failure it takes half as
// many, after a success twice as many, so that a bad one that fails its whole
// batch is soon alone; whatever fails goes to the end of the line.
func (s *settler) retry() {
	var failing stall
	var own trip
	size := mostPerTrip
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		wait, err := failing.next(), s.failed.err
		s.mu.Unlock()
		s.w.storeFailed(s.w.base, "settle", err, wait)
		sleep(s.w.hard, wait)
		s.mu.Lock()

		for ok := true; ok; {
			if len(s.failed.endings) == 0 {
				s.failed = failed{}
				return
			}
			size = min(size, len(s.failed.endings))
			batch := slices.Clone(s.failed.endings[:size])
			s.mu.Unlock()
			again, err := s.try(&own, batch)
			s.mu.Lock()

			s.failed.endings = append(s.failed.endings[len(batch):], again...)
			if ok = err == nil; ok {
				failing = stall{}
				size = min(2*size, mostPerTrip)
			} else {
				s.failed.err = err
				size = max(1, size/2)
			}
			s.progress.Broadcast()
		}
	}
}
