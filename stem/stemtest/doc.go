// Package stemtest is for tests of programs that use package stem. It needs no store but the memory of
// the process, and no time: where a task waits for a month, a test does not.
//
// There are three things to test, and one way for each.
//
// Code that enqueues: a [Recorder] takes what is enqueued and runs nothing.
//
//	rec := stemtest.NewRecorder(t)
//	shop.Checkout(rec.Context(), order)
//	got := stemtest.EnqueuedOne(t, rec, billing.Charge)
//	// got.Args is a billing.ChargeArgs; got.Queue, got.Delay … are what the options said
//
// A handler: [Perform] runs a task once, as a worker would, and tells how the run was judged. Args and result
// go through their codecs, so that what would be lost on the wire is found here.
//
//	got := stemtest.Perform(t, billing.Charge, billing.Register, billing.ChargeArgs{Cents: 1200})
//	// got.Must() is the result; got.Err, got.Verdict, got.Delay … are what became of a failure
//
// A system of tasks: [Run] gives a test a [Runtime], which is a store, a client and a worker in a bubble of
// testing/synctest. Retries, delays, timeouts and leases take their time there, and no time at all outside.
//
//	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
//		rt.Register(billing.Register, mail.Register)
//		rt.CrashAfter(billing.Charge) // once: is the customer charged twice?
//		job, err := billing.Charge.Enqueue(rt.Context(), billing.ChargeArgs{Cents: 1200})
//		…
//		rt.DrainAll()
//	})
//
// # What is the same each time
//
// A test that passes once should pass always. So ids that nobody chose are task-1, task-2 and so on; a runtime
// begins at midnight UTC, 1 January 2000, has one slot unless it is told otherwise, and works only while
// the test waits for it; the jitter of a retry follows from the id and the attempt. [Runtime.Story] is therefore good for a golden
// file. What differs: the order in which tasks of several slots run that are due together, how soon a worker
// comes back to a store that has failed, and the ids of sessions.
//
// # What a runtime is not
//
// It is the real client, the real worker and the reference among the stores; the network, the other
// store and other programs are missing. In a bubble nobody may wait for what happens outside of it: a
// handler that talks to a real server keeps time from passing, and belongs into Perform with a fake, or into a test on the real
// store.
package stemtest
