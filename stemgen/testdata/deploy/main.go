// Program deploy lets two builds of the same tasks work on one store, and prints what
// becomes of what each has enqueued.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"example.com/golden/after"
	"example.com/golden/before"
	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store := new(memory.Store)
	client := must(stem.NewClient(store, stem.ClientConfig{}))
	ctx = stem.WithClient(ctx, client)

	fmt.Println("the old build has enqueued, the new one works")
	must(before.Welcome.Enqueue(ctx, before.WelcomeArgs{To: "ada", Name: "Ada", Tries: -3, Places: []before.Address{{City: "London", Zip: 7}}}))
	must(before.Remind.Enqueue(ctx, before.RemindArgs{To: "bob"}))
	stop := work(ctx, client, after.Register)
	show(<-after.Seen, <-after.Seen)
	stop()

	fmt.Println("the new build has enqueued, the old one works")
	zip := int64(1 << 40)
	must(after.Welcome.Enqueue(ctx, &after.WelcomeArgs{Recipient: "cyd", Tries: 1 << 40, Places: []after.Place{{Town: "Rome", Zip: &zip}}, Locale: "it"}))
	must(after.Nudge.Enqueue(ctx, after.NudgeArgs{To: "dan", Via: "sms"}))
	must(before.Remind.Enqueue(ctx, before.RemindArgs{To: "eve"}))
	stop = work(ctx, client, before.Register)
	show(<-before.Seen)
	stop()
	aside := must(store.CountQueue(ctx, "default"))
	for _, task := range slices.SortedFunc(maps.Keys(aside.Unknown), func(a, b stem.TaskSchema) int { return len(a.Task) - len(b.Task) }) {
		known := task.Fingerprint == after.Welcome.Spec().Schema.Fingerprint || task.Fingerprint == after.Nudge.Spec().Schema.Fingerprint
		fmt.Println("set aside:", aside.Unknown[task], task.Task, known)
	}

	fmt.Println("the new build works again")
	stop = work(ctx, client, after.Register)
	show(<-after.Seen, <-after.Seen)
	stop()
	left := must(store.CountQueue(ctx, "default"))
	fmt.Println("left:", left.Ready+left.Delayed+left.Running+left.Dead, len(left.Unknown))
}

// work runs a worker until it is stopped.
func work(ctx context.Context, client *stem.Client, register func(*stem.Registry) error) (stop func()) {
	var tasks stem.Registry
	if err := register(&tasks); err != nil {
		panic(err)
	}
	worker := must(stem.NewWorker(client, &tasks, stem.WorkerConfig{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			panic(err)
		}
	}
}

// show prints what handlers took, in an order of its own.
func show(seen ...any) {
	var lines []string
	for _, args := range seen {
		lines = append(lines, describe(args))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

func describe(args any) string {
	welcome, ok := args.(after.WelcomeArgs)
	if !ok {
		return fmt.Sprintf("%T %+v", args, args)
	}
	line := fmt.Sprintf("%T to %s, %d tries, locale %q", args, welcome.Recipient, welcome.Tries, welcome.Locale)
	for _, place := range welcome.Places {
		line += fmt.Sprintf(", %s %d", place.Town, *place.Zip)
	}
	return line
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
