// Command codec compares stem's MessagePack codec with its peers on one struct and
// prints a table. See README.md.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"text/tabwriter"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	// One thread runs Go code at a time, so the process's CPU time is that of the
	// work and of the garbage collection that the work causes.
	runtime.GOMAXPROCS(1)
	// A program has a heap. On an empty one the collector would run every 4 MB, and
	// its rhythm would be measured.
	heap := make([]byte, 64<<20)
	defer runtime.KeepAlive(heap)

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tcontestant\tratio\tns/op\tallocs/op")
	for _, d := range disciplines {
		cs := contestants()
		figures, err := measure(d, cs)
		if err != nil {
			return err
		}
		for i, f := range figures {
			fmt.Fprintf(table, "%s\t%s\t%.2f\t%.0f\t%.0f\n", d.name, cs[i].name, f.ratio, f.nanoseconds, f.allocs)
		}
	}
	return table.Flush()
}
