package roundtrip

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/gostem/gostem/stem/codec"
)

const (
	sampled    = 2   // the seed of the value that becomes a sample
	mostSample = 600 // bytes; a longer message makes no better seed of a fuzzer
)

var (
	samplesFile = flag.String("samples", "", "write a sample of each codec's messages into this file")
	messages    strings.Builder
)

// sample keeps a message for the fuzzers.
func sample[T any](name string, c codec.Codec[T], v T) {
	encoded, err := c.Append(nil, &v)
	if err == nil && len(encoded) <= mostSample {
		fmt.Fprintf(&messages, "%s %+q\n", name, encoded)
	}
}

func writeSamples() {
	if *samplesFile == "" {
		return
	}
	if err := os.WriteFile(*samplesFile, []byte(messages.String()), 0o644); err != nil {
		failures++
		fmt.Println(err)
	}
}
