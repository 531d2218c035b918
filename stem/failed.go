package stem

import "slices"

// spareFailures is how many endings more than may be on their way may have failed
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
	for err := s.lastFailure(); err != nil; {
		wait := failing.next()
		s.w.storeFailed(s.w.base, "settle", err, wait)
		sleep(s.w.stops.over, wait)
		for err = nil; err == nil; {
			batch := s.takeFailed(size)
			if len(batch) == 0 {
				return
			}
			var again []ending
			if again, err = s.try(&own, batch); err == nil {
				if failing != (stall{}) && !s.w.stops.over.raised() { // a stop that is over has asked nobody
					s.w.storeRecovered(s.w.base, "settle")
				}
				failing = stall{}
				size = min(2*size, mostPerTrip)
			} else {
				size = max(1, min(size, len(batch))/2)
			}
			s.putFailed(len(batch), again, err)
		}
	}
}

func (s *settler) lastFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed.err
}

// takeFailed gives the failed endings that are first in line, at most so many.
// They stay there until putFailed. Where there are none, the retrier ends.
func (s *settler) takeFailed(most int) []ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failed.endings) == 0 {
		s.failed = failed{}
	}
	return slices.Clone(s.failed.endings[:min(most, len(s.failed.endings))])
}

// putFailed takes the first n out of the line and puts those that have failed
// again at its end.
func (s *settler) putFailed(n int, again []ending, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed.endings = append(s.failed.endings[n:], again...)
	if err != nil {
		s.failed.err = err
	}
	s.progress.Broadcast()
}
