package adaptertest

import "slices"

// The suite in reading order.

func brokerPromises() []promise {
	return slices.Concat(
		publishPromises, receivePromises, orderPromises, settlePromises, leasePromises, fencePromises,
		dedupePromises, unknownPromises, schemaPromises, atMostPromises, lifePromises, recoverPromises, brokerClosePromises,
	)
}

func backendPromises() []promise {
	return slices.Concat(resultPromises, resultFencePromises, progressPromises, backendClosePromises)
}

func capabilityPromises() []promise {
	return slices.Concat(
		savingSettlerPromises, watchPromises, deadLetterPromises, countPromises, revokePromises, pausePromises,
		turnPromises, placePromises, limitReaderPromises,
		presencePromises, controlPromises, uniquePromises,
		listPromises, changePromises, deadKeeperPromises, annotatePromises,
		transactionPromises,
	)
}
