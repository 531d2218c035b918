package stem_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// A codec may answer bytes that it keeps, instead of appending to what it is given.
func TestWhatACodecKeepsIsNotWrittenTo(t *testing.T) {
	kept := []byte("\xa7keep me")
	keeping := codec.Codec[string]{
		Append: func(b []byte, v *string) ([]byte, error) {
			if *v == "kept" {
				return kept, nil
			}
			return codec.AppendString(b, *v), nil
		},
		Read: text.Read,
	}
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "t"}, keeping, text).Via(client)
	for range 10 {
		for _, args := range []string{"kept", "other", strings.Repeat("x", 1000)} {
			if _, err := def.Enqueue(context.Background(), args); err != nil {
				t.Fatal(err)
			}
		}
	}
	if string(kept) != "\xa7keep me" {
		t.Errorf("got %q, want the codec's own bytes untouched", kept)
	}
	for i, want := range []string{"\xa7keep me", "\xa5other", "\xda\x03\xe8" + strings.Repeat("x", 1000)} {
		if got := string(c.envs[i].Payload); got != want {
			t.Errorf("payload %d: got %q, want %q", i, got, want)
		}
	}
}
