//go:build unix

// Package testpostgres runs private PostgreSQL servers for tests: the newest one that is
// installed, on ports of their own on the loopback, in folders of their own. They end
// with the test, and on Linux also when the test process is killed.
//
// [URL] answers a database of its own for each test, on one server that all tests of a process
// share; [Template] lets such databases be copies of one that is prepared once.
// [Start] gives a test a whole server, to kill, restart and configure, and to have a [Server.Standby];
// [TLS] a database that is reached by TLS alone. [Bounce] puts PgBouncer before a server.
//
// It is for the tests of this module; no user needs it.
package testpostgres
