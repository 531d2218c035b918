package stem_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// Whoever asks for what is under way gets that.
func ExampleUnique() {
	report := stem.Define(stem.TaskSpec{Name: "report", Options: []stem.Option{stem.Unique(stem.UntilDone)}},
		reflectcodec.Of[string](), reflectcodec.Of[string]())
	var tasks stem.Registry
	err := stem.Handle(&tasks, report, func(_ context.Context, month string) (string, error) { return "the report of " + month, nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	first, err := report.Enqueue(ctx, "March", stem.Delay(50*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := report.Enqueue(ctx, "March")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(second.Duplicate(), second.ID() == first.ID())
	fmt.Println(second.Wait(ctx))
	// Output:
	// true true
	// the report of March <nil>
}

// Of many edits only the last is indexed, a little later.
func ExampleOnConflict() {
	type Page struct{ ID, Text string }
	index := stem.Define(stem.TaskSpec{Name: "index", Options: []stem.Option{
		stem.Unique(stem.UntilDone), stem.UniqueBy("ID"), stem.OnConflict(stem.ConflictReplace),
	}}, reflectcodec.Of[Page](), reflectcodec.Of[string]())
	var tasks stem.Registry
	err := stem.Handle(&tasks, index, func(_ context.Context, p Page) (string, error) { return "indexed " + p.Text, nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	var jobs []stem.Job[string]
	for _, text := range []string{"D", "Dra", "Draft"} {
		job, err := index.Enqueue(ctx, Page{ID: "p-1", Text: text}, stem.Delay(50*time.Millisecond))
		if err != nil {
			fmt.Println(err)
			return
		}
		jobs = append(jobs, job)
	}
	_, err = jobs[0].Wait(ctx)
	fmt.Println(errors.Is(err, stem.ErrCancelled))
	fmt.Println(jobs[2].Wait(ctx))
	// Output:
	// true
	// indexed Draft <nil>
}
