package adaptertest

import "slices"

// The suite in reading order.

func brokerPromises() []promise {
	return slices.Concat(
		publishPromises,
		receivePromises,
		orderPromises,
		settlePromises,
		leasePromises,
		fencePromises,
		dedupePromises,
	)
}

func backendPromises() []promise { return nil }

func capabilityPromises() []promise { return nil }
