// Package adaptertest is the contract of an adapter, as tests.
//
// Every rule that [stem.Broker], [stem.Backend] and the capabilities state in
// their doc comments is a promise here: one short function that quotes the rule
// and finds out whether a store keeps it. An adapter runs them all from one
// test:
//
//	func TestContract(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Harness{Open: open})
//	}
//
// Harness says what open must give, adapters/README.md how to write an adapter.
// [RunModel] runs random programs on the same harness, and holds what happens between the
// rules against a model of the whole contract.
//
// The promises use the public contract only. They never sleep and assert no
// duration that a busy machine could stretch: time is what [Stores.Advance]
// says. Every call that may block is bounded, so that a broken store fails and
// does not hang. Where a rule leaves a store the choice, its promise accepts
// every answer that the rule allows.
package adaptertest
