package ops_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// What is masked shows in no payload, whether its task is known or not, and in no error that an observer is told of.
func TestWhatIsMaskedShowsNowhere(t *testing.T) {
	const args = `{"type":"object","properties":{"To":{"type":"string"},"Token":{"type":"integer"}},"additionalProperties":false}`
	var tasks stem.Registry
	run := func(context.Context, *stem.Delivery) ([]byte, error) { return nil, nil }
	if err := tasks.Register(stem.TaskSpec{Name: "mail.send", Aliases: []string{"send"}, Schema: stem.Schema{Fingerprint: 7, Args: args, Result: args}}, run); err != nil {
		t.Fatal(err)
	}
	var store memory.Store
	var told []string
	service, err := ops.New(ops.Stores{Broker: &store}, ops.Config{
		Registry: &tasks, Mask: []string{"token"},
		Observer: func(_ context.Context, e ops.Event) { told = append(told, e.Err.Error()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "4711"
	payload := codec.AppendMapLen(nil, 2)
	payload = codec.AppendString(codec.AppendString(payload, "To"), "ann")
	payload = codec.AppendInt(codec.AppendString(payload, "Token"), 4711)
	const want = `{"To":"ann","Token":"•••"}`
	for _, task := range []string{"mail.send", "send", "nobody.knows"} {
		if got := string(service.ShowArgs(task, payload)); got != want {
			t.Errorf("args of %s: got %s, want %s", task, got, want)
		}
		if got := string(service.ShowResult(task, payload)); got != want {
			t.Errorf("result of %s: got %s, want %s", task, got, want)
		}
	}
	if got := service.ShowArgs("send", nil); got != nil {
		t.Errorf("no args: got %s, want none", got)
	}
	for _, wrong := range []string{`{"Token":"4711"}`, `{"To":{"Token":4711}}`, `[{"Token":4711}]`} {
		_, err := service.Enqueue(t.Context(), by, ops.EnqueueRequest{Task: "send", Args: json.RawMessage(wrong)})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want an error without the token", wrong, err)
		}
	}
	if len(told) != 3 || strings.Contains(strings.Join(told, ""), secret) {
		t.Errorf("the observer: got %q, want three errors without the token", told)
	}
	_, err = service.Enqueue(t.Context(), by, ops.EnqueueRequest{Task: "send", Args: json.RawMessage(`{"To":4711}`)})
	if err == nil || !strings.Contains(err.Error(), secret) {
		t.Errorf("a wrong value that is not masked: got %v, want it to be named", err)
	}
}
