package stemtest_test

import (
	"os"
	"sync"
	"testing"
)

// inTest runs what stands in a Test function of yours, so that examples are run too. What go test itself prints (with -v)
// is no part of an example's output.
func inTest(test func(t *testing.T)) {
	stdout := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	defer func() { _ = null.Close() }()
	os.Stdout = null
	defer func() { os.Stdout = stdout }()
	var once sync.Once // whatever -count says: the example is counted already
	passed := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "Example",
		F: func(t *testing.T) {
			once.Do(func() {
				os.Stdout = stdout
				defer func() { os.Stdout = null }()
				test(t)
			})
		},
	}})
	if !passed {
		panic("the test in the example has failed")
	}
}
