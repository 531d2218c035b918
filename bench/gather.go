package main

// gather makes batches of what many give: while one is on its way, what comes becomes the next.
type gather[T any] struct {
	in   chan parcel[T]
	most int
	send func([]T) error
}

type parcel[T any] struct {
	item T
	done chan<- error // nil: nobody waits
}

func newGather[T any](most int, send func([]T) error) *gather[T] {
	g := &gather[T]{make(chan parcel[T], most), most, send}
	go g.run()
	return g
}

func (g *gather[T]) run() {
	var items []T
	var done []chan<- error
	add := func(p parcel[T]) {
		items = append(items, p.item)
		if p.done != nil {
			done = append(done, p.done)
		}
	}
	for {
		items, done = items[:0], done[:0]
		add(<-g.in)
		for len(items) < g.most && len(g.in) > 0 {
			add(<-g.in)
		}
		err := g.send(items)
		for _, d := range done {
			d <- err
		}
	}
}
