package memory

import "time"

// ripe gives when the next delayed entry of the queue is due, or never.
func (q *queue) ripe() instant {
	next := never
	for i := range q.tiers {
		if delayed := &q.tiers[i].delayed; delayed.len() > 0 {
			next = min(next, instant(delayed.rank()))
		}
	}
	return next
}

// wakeAt sets the alarm for an instant, unless it rings before. There is one
// for all receivers, and only while there are receivers: with a timer each, all of
// them would be woken where one is needed.
func (s *Store) wakeAt(at, now instant) {
	if at == never || s.alarm != nil && s.alarmRings <= at {
		return
	}
	s.alarmRings = at
	wait := time.Duration(max(at-now, 0))
	if s.alarm == nil {
		s.alarm = time.AfterFunc(wait, s.ring)
	} else {
		s.alarm.Reset(wait)
	}
}

// silence puts the alarm away.
func (s *Store) silence() {
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
}

// ring wakes receivers for what has become due without a call, and sets the
// alarm for what comes next: at once, if it has moved all that it may under one
// lock. One that was set off in vain, since the session has been renewed or the
// alarm put away, does no harm.
func (s *Store) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silence()
	now, ripening := s.now(), mostRipened
	s.rescue(now)
	for q := range s.watched {
		for i := range q.tiers {
			ripening -= q.ripen(&q.tiers[i], ripening, now)
		}
		q.callNext()
		if len(q.receivers) > 0 {
			s.wakeAt(q.ripe(), now)
		}
	}
	s.watchLapses(now)
}

// watchLapses sets the alarm for the next lapse of a session, if anybody waits.
func (s *Store) watchLapses(now instant) {
	if len(s.watched) > 0 && s.lapses.len() > 0 {
		s.wakeAt(instant(s.lapses.rank()), now)
	}
}
