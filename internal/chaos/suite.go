//go:build unix

package main

import "regexp"

// fault is one way in which things go wrong.
type fault struct {
	number int
	name   string
}

// faults are all, in the order of the table.
var faults = []fault{
	{1, "workers are killed"},
	{2, "workers stand still past their lease and wake up"},
	{3, "workers are cut off from the store"},
	{4, "the CPU is overloaded"},
	{5, "tasks take their process down"},
	{6, "a process dies at each call of the store"},
	{7, "workers are asked to stop under load"},
	{8, "Redis is killed, away, flushed, full, demoted, replaced"},
	{9, "Postgres is killed, away, locked, read-only, full, behind PgBouncer"},
	{10, "the network is slow, resets, is half-open, swallows replies"},
	{11, "crowds: many receivers, large batches, many at one time, tasks that nobody knows"},
	{12, "hostile bytes in the store"},
	{13, "random programs against one model"},
}

// part is which tests of a package are about a fault.
type part struct {
	fault   int
	adapter string
	pkg     string
	tests   *regexp.Regexp // by their full names
}

const (
	memory   = "memory"
	redis    = "Redis"
	postgres = "Postgres"
)

// parts says which tests tell what.
var parts = func() (all []part) {
	add := func(fault int, adapter, pkg, tests string) {
		all = append(all, part{fault, adapter, pkg, regexp.MustCompile("^(" + tests + ")$")})
	}
	add(1, memory, "./stem", "TestProcessesDieAndNothingIsLost")
	add(2, memory, "./stem", "TestAStoreWithoutAFenceIsFoundOut")
	add(3, memory, "./stem", "TestAnOutageOfTenMinutesIsSurvivedWithoutAHotLoop|TestALostAnswerStrandsNothing|TestWhatAStoreForgetsRunsAgainSoon")
	add(5, memory, "./stem", "TestPoisonIsQuarantinedAfterThreeRuns|TestNeighboursOfPoisonAreNotTakenForIt|TestOutagesMakeNoPoison|TestDeploysMakeNoPoison")
	add(6, memory, "./stem", "TestEveryCallIsBounded|TestAStoreThatFailsInTurnsIsAskedWithBackoffAndRecoversOnce")
	add(7, memory, "./stem", "TestAStop.*|TestWhoDoesNotFinishInTheGracePeriodIsCancelledAndGivenBack|TestAHandlerThatHangsIsLeftBehindAndNamed|TestADeployThatCutsRunsShortIsNoInterruption")
	add(11, memory, "./adapters/memory", "TestAStorm.*|TestAsManyReceiversAreWokenAsThereIsWorkFor|TestNoWakeUpIsLost")
	add(13, memory, "./adapters/memory", "TestModel")
	for adapter, folder := range map[string]string{redis: "./adapters/redis", postgres: "./adapters/postgres"} {
		sites := folder + "/faults"
		add(1, adapter, sites, "TestProcesses/(workers_are_killed|the_tasks_of_a_killed|what_follows|tasks_follow|the_places_of).*")
		add(2, adapter, sites, "TestProcesses/(a_worker_that_sleeps|whatever_a_sleeper).*")
		add(2, adapter, folder, "TestWhoeverLosesARaceSettlesNothing")
		add(3, adapter, sites, "TestDisturbances/nothing_arrives.*")
		add(4, adapter, sites, "TestOverloadedWorkersLoseNoLease")
		add(5, adapter, sites, "TestProcesses/poison.*")
		add(6, adapter, sites, "TestProcesses/a_process_dies.*")
		add(7, adapter, sites, "TestProcesses/(a_worker_that_leaves|workers_leave).*")
		add(10, adapter, sites, "TestDisturbances/(replies|connections|the_network).*")
		add(13, adapter, folder, "TestModel")
	}
	add(8, redis, "./adapters/redis/faults", "TestA.*|TestScripts.*|TestEntries.*")
	add(11, redis, "./adapters/redis", "TestALargeBatchIsLentSettledAndLentAgain|TestATokenThatIsLostIsReplaced|TestReceiversThatWaitLeaveTheConnectionsToOthers|TestWhatALateReadHasTakenIsLentAgain")
	add(12, redis, "./adapters/redis", "TestHostileEntriesHarmOnlyThemselves|TestExtremes|TestADeadLetterHasAllThatStoodInTheStore")
	add(12, postgres, "./adapters/postgres", "TestHostileRowsHarmOnlyThemselves|TestWhatIsNoEnvelopeIsListed")
	add(9, postgres, "./adapters/postgres/faults", "TestA.*|TestThe.*|TestPgBouncer.*|TestConnections.*|TestEvery.*|TestSomebody.*")
	add(11, postgres, "./adapters/postgres", "TestSessionsWhose.*|TestATransactionThat.*|TestUnknownTasks.*|TestTasksThatAreSetAside.*|TestReceiversOfTheSameQueues.*")
	return all
}()

// partOf finds what a test is about; nil is nothing that is told.
func partOf(pkg, test string) *part {
	for i := range parts {
		if parts[i].pkg == pkg && parts[i].tests.MatchString(test) {
			return &parts[i]
		}
	}
	return nil
}
