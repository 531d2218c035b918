package reflectcodec_test

import (
	"fmt"

	"github.com/gostem/gostem/stem/reflectcodec"
)

func ExampleOf() {
	type Greeting struct {
		Name  string `msgpack:"name"`
		Times int    `msgpack:"times,omitempty"`
	}
	c := reflectcodec.Of[Greeting]()

	data, err := c.Append(nil, &Greeting{Name: "Stem"})
	fmt.Printf("%q %v\n", data, err)

	var back Greeting
	err = c.Decode(data, &back)
	fmt.Println(back.Name, err)
	// Output:
	// "\x81\xa4name\xa4Stem" <nil>
	// Stem <nil>
}

// A type that cannot travel says so when it is first used.
func ExampleOf_channel() {
	type Args struct{ Done chan bool }
	_, err := reflectcodec.Of[Args]().Append(nil, &Args{})
	fmt.Println(err)
	// Output:
	// reflectcodec: reflectcodec_test.Args cannot be a task's argument or result: reflectcodec_test.Args.Done: MessagePack cannot carry a chan
}
