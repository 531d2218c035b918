package adaptertest

import "testing"

// PromiseNames gives the names of all promises, as Run names their subtests.
func PromiseNames() []string {
	var names []string
	for _, half := range halves() {
		for _, p := range half.promises {
			names = append(names, half.name+"/"+p.name)
		}
	}
	return names
}

// Examine checks the promise of that name on a fresh store and tells tb. It
// reports whether there is such a promise and the store can be held to it.
func Examine(tb testing.TB, h Harness, name string) bool {
	for _, half := range halves() {
		for _, p := range half.promises {
			if half.name+"/"+p.name == name {
				return h.examine(tb, p) == ""
			}
		}
	}
	return false
}

type half struct {
	name     string
	promises []promise
}

func halves() []half {
	return []half{
		{"Broker", brokerPromises()}, {"Backend", backendPromises()}, {"Capabilities", capabilityPromises()},
	}
}

// CheckModel runs programs on a store within t, and tells tb.
func CheckModel(t *testing.T, tb testing.TB, h Harness, programs int) { h.runModel(t, tb, programs) }
