package txmemory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/internal/txmemory"
)

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Open: func(t testing.TB) adaptertest.Stores {
			store := new(txmemory.Store)
			t.Cleanup(func() { _ = store.Close() })
			return adaptertest.Stores{
				Broker: store, Backend: store, Close: store.Close,
				Advance: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
				Begin: func(testing.TB) adaptertest.Transaction {
					tx := store.Begin()
					return adaptertest.Transaction{Publisher: tx, Completer: tx, Commit: tx.Commit, Rollback: tx.Rollback}
				},
			}
		},
		Within: synctest.Test,
	})
}
