package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gostem/gostem/stem"
)

// alike compares what a store gives back: nil and empty are the same, and an
// error is that which it wraps.
var alike = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateErrors()}

// same expects got to be like want.
func same[T any](x *exam, what string, got, want T) {
	x.Helper()
	if !cmp.Equal(got, want, alike) {
		x.Errorf("%s: got %s, want %s\n(- got, + want)\n%s", what, brief(got), brief(want), brief(cmp.Diff(got, want, alike)))
	}
}

// samePayload compares payloads, which may be too big to be shown.
func (x *exam) samePayload(got, want []byte) {
	x.Helper()
	if !bytes.Equal(got, want) {
		const most = 300
		x.Errorf("payload: got %d bytes, %.*q…, want %d bytes, %.*q…", len(got), most, got, len(want), most, want)
	}
}

// sameEnvelope compares all that an envelope says.
func (x *exam) sameEnvelope(got *stem.Envelope, want stem.Envelope) {
	x.Helper()
	x.samePayload(got.Payload, want.Payload)
	rest := *got
	rest.Payload, want.Payload = nil, nil
	same(x, "envelope", rest, want)
}

// brief keeps a failure readable where a value is big or bends a terminal.
func brief(v any) string {
	const most = 1000
	s := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return '·'
	}, fmt.Sprintf("%+v", v))
	if len(s) > most {
		return fmt.Sprintf("%.*s… (%d bytes)", most, s, len(s))
	}
	return s
}

// lost expects a batch call's error to name exactly the items at the indices,
// each with ErrLeaseLost.
func (x *exam) lost(err error, indices ...int) {
	x.Helper()
	want := make(map[int]error, len(indices))
	for _, i := range indices {
		want[i] = stem.ErrLeaseLost
	}
	x.partial(err, want)
}

// partial expects a *PartialError that names exactly the wanted items, in order.
func (x *exam) partial(err error, want map[int]error) {
	x.Helper()
	partial := x.asPartial(err)
	last := -1
	for _, item := range partial.Items {
		if want[item.Index] == nil || !errors.Is(item.Err, want[item.Index]) {
			x.Errorf("item %d: got error %v, want %v", item.Index, item.Err, want[item.Index])
		}
		if item.Index <= last {
			x.Errorf("got item %d after item %d, want ascending order", item.Index, last)
		}
		last = item.Index
	}
	same(x, "items that failed", len(partial.Items), len(want))
}

// asPartial expects err to be a *PartialError.
func (x *exam) asPartial(err error) *stem.PartialError {
	x.Helper()
	var partial *stem.PartialError
	if !errors.As(err, &partial) {
		x.Fatalf("got error %v, want a *PartialError", err)
	}
	return partial
}

// nilOrLost expects item i to have either answer that a repetition may get.
func (x *exam) nilOrLost(what string, err error, i int) {
	x.Helper()
	if item := stem.ItemErr(err, i); item != nil && !errors.Is(item, stem.ErrLeaseLost) {
		x.Errorf("%s: got error %v, want nil or %v", what, item, stem.ErrLeaseLost)
	}
}
