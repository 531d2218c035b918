package main

// A discipline is one thing that each contestant has to do n times.
type discipline struct {
	name string
	run  func(c contestant, n int) error
}

var disciplines = []discipline{
	{"encode fresh", encodeFresh},
	{"encode reused", encodeReused},
	{"decode", decode},
}

func encodeFresh(c contestant, n int) error {
	v := sampleOrder()
	for range n {
		if _, err := c.encode(nil, v); err != nil {
			return err
		}
	}
	return nil
}

func encodeReused(c contestant, n int) error {
	v := sampleOrder()
	b := make([]byte, 0, 1024)
	for range n {
		var err error
		if b, err = c.encode(b[:0], v); err != nil {
			return err
		}
	}
	return nil
}

func decode(c contestant, n int) error {
	data, err := c.encode(nil, sampleOrder())
	if err != nil {
		return err
	}
	for range n {
		var v Order
		if err := c.decode(data, &v); err != nil {
			return err
		}
	}
	return nil
}
