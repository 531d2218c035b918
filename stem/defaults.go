package stem

import (
	"runtime"
	"time"
)

// The defaults, all of them.
const (
	// DefaultQueue is the queue of a task that names none.
	DefaultQueue = "default"

	defaultMaxRetries   = 3
	defaultKeepResult   = 24 * time.Hour
	defaultDedupeWindow = 10 * time.Minute
	defaultMaxPayload   = 1 << 20
	defaultCallTimeout  = 10 * time.Second

	defaultSlotsPerCPU      = 10
	defaultPrefetch         = 2
	defaultPrefetchBytes    = 64 << 20
	defaultLease            = 15 * time.Second
	defaultGrace            = 30 * time.Second
	defaultMaxLent          = 1000
	defaultMaxInterruptions = 3
	defaultStuckAfter       = 10 * time.Second
	defaultHeartbeat        = 10 * time.Second
	defaultUpCooldown       = 2 * time.Second
	defaultDownCooldown     = 30 * time.Second
)

var defaultBackoff = ExponentialBackoff(2*time.Second, 5*time.Minute)

func defaultSlots() int { return defaultSlotsPerCPU * runtime.GOMAXPROCS(0) }
