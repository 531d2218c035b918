package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write exemplar.go anew")

// A test file of another module cannot be imported, so exemplar.go is a copy; this
// keeps it one.
func TestExemplarIsThatOfTheCodecsTests(t *testing.T) {
	original, err := os.ReadFile("../../stem/codec/exemplar_test.go")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace(original, []byte("package codec_test"), []byte("package main"), 1)
	if *update {
		if err := os.WriteFile("exemplar.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("exemplar.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("exemplar.go differs; write it anew with: go test -run Exemplar -update && go generate")
	}
}

func TestEveryContestantCarriesTheWholeOrder(t *testing.T) {
	want := sampleOrder()
	for _, c := range contestants() {
		data, err := c.encode(nil, want)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got Order
		if err := c.decode(data, &got); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(got, *want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", c.name, diff)
		}
		reused, err := c.encode(make([]byte, 0, 1024), want)
		if err != nil || c.name != "tinylib/msgp" && !bytes.Equal(bytes.TrimSpace(reused), data) {
			t.Errorf("%s: %v: a reused buffer holds other bytes than a fresh one", c.name, err)
		}
	}
}

func TestStemAndVmihailencoWriteTheSameBytes(t *testing.T) {
	cs := contestants()
	ours, _ := cs[0].encode(nil, sampleOrder())
	theirs, _ := cs[2].encode(nil, sampleOrder())
	if !bytes.Equal(ours, theirs) {
		t.Errorf("got %x, want %x", ours, theirs)
	}
}
