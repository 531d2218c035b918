package stem_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func TestHandlersKnowTheirTaskAndItsFamily(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		infos := map[string]stem.TaskInfo{}
		var def *stem.TaskDefinition[string, string]
		def = r.task("family", func(ctx context.Context, generation string) (string, error) {
			info, ok := stem.Info(ctx)
			if !ok {
				t.Error("Info: got false inside a handler")
			}
			infos[generation] = info
			if len(generation) < 3 {
				child, err := stem.Define(def.Spec(), text, text).Enqueue(ctx, generation+"i") // the worker's client
				if err != nil {
					return "", err
				}
				return child.Wait(ctx)
			}
			return "", nil
		}, stem.Priority(4))
		r.work(stem.WorkerConfig{Name: "ann", Slots: 5})
		job := r.enqueue(def, "i", stem.Header("tenant", "acme"), stem.MaxRetries(7))
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		first, child, grandchild := infos["i"], infos["ii"], infos["iii"]
		if first.ID != job.ID() || first.Task != "family" || first.Queue != "default" || first.Priority != 4 || first.Worker != "ann" ||
			first.Attempt != 1 || first.MaxRetries != 7 || first.Headers["tenant"] != "acme" || first.Root != "" || first.Parent != "" {
			t.Errorf("got %+v, want what was enqueued", first)
		}
		if child.Parent != first.ID || child.Root != first.ID || grandchild.Parent != child.ID || grandchild.Root != first.ID {
			t.Errorf("got lineage %s/%s and %s/%s, want it to lead to %s", child.Root, child.Parent, grandchild.Root, grandchild.Parent, first.ID)
		}
		if _, ok := stem.Info(t.Context()); ok {
			t.Error("Info: got true outside a handler")
		}
	})
}

func TestMiddlewareWrapsFromTheOutside(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var order []string
		layer := func(name string) stem.Middleware {
			return func(next stem.Handler) stem.Handler {
				return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
					order = append(order, name+" in")
					result, err := next(ctx, d)
					order = append(order, name+" out")
					return result, err
				}
			}
		}
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{Middleware: []stem.Middleware{layer("outer"), layer("inner")}})
		if _, err := r.wait(r.enqueue(hello, "")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(order, []string{"outer in", "inner in", "inner out", "outer out"}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}
