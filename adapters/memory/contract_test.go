package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var harness = adaptertest.Harness{
	Open: func(t testing.TB) adaptertest.Stores {
		store := new(memory.Store)
		t.Cleanup(func() { _ = store.Close() })
		return adaptertest.Stores{
			Broker:  store,
			Backend: store,
			Advance: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
			Close:   store.Close,
		}
	},
	Within: synctest.Test,
}

func TestContract(t *testing.T) { adaptertest.Run(t, harness) }

func TestModel(t *testing.T) { adaptertest.RunModel(t, harness, 10_000) }
