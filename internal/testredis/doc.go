//go:build unix

// Package testredis runs private Redis servers for tests: redis-server as PATH has it, on
// ports of their own on the loopback, in folders of their own. They end with the
// test, and on Linux also when the test process is killed.
//
// [URL] answers one server that all tests of a process share; [Start] gives a
// test one of its own, to kill, restart and configure; [Cluster] and [Sentinel] give it several that
// stand together, [TLS] and [WithACL] one that lets in only whom it knows.
//
// It is for the tests of this module; no user needs it.
package testredis
