package stem_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gostem/gostem/stem"
)

// blowUp panics, by the hand of the runtime or by its own.
func blowUp(how string) (string, error) {
	switch how {
	case "index":
		return "", errors.New(strings.Split(how, ",")[len(how)])
	case "nil":
		var none *stem.Envelope
		return none.ID, nil
	case "closure":
		return func() (string, error) { panic("oh") }()
	default:
		panic("oh")
	}
}

func TestTheLogNamesWhereAHandlerPanicked(t *testing.T) {
	for how, want := range map[string]string{
		"value":   ", at github.com/gostem/gostem/stem_test.blowUp (stack_test.go:26)",
		"index":   ", at github.com/gostem/gostem/stem_test.blowUp (stack_test.go:19)",
		"nil":     ", at github.com/gostem/gostem/stem_test.blowUp (stack_test.go:22)",
		"closure": ", at github.com/gostem/gostem/stem_test.blowUp.func1 (stack_test.go:24)",
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				r := newRig(t, nil, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				task := r.task("blow", func(_ context.Context, how string) (string, error) { return blowUp(how) }, stem.MaxRetries(1))
				again := func(next stem.Handler) stem.Handler { // a middleware that recovers and panics on
					return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
						defer func() { panic(recover()) }()
						return next(ctx, d)
					}
				}
				stop := r.work(stem.WorkerConfig{Middleware: []stem.Middleware{again}})
				if _, err := r.wait(r.enqueue(task, how)); err == nil {
					t.Fatal("got no error, want that of a panic")
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if got := strings.Count(log.String(), want); got != 2 {
					t.Errorf("got it %d times in\n%s\nwant %q for the retry and for the end", got, log.String(), want)
				}
			})
		})
	}
}
