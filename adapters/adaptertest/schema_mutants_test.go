package adaptertest_test

import (
	"cmp"
	"slices"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

var schemaMutants = []mutant{
	{"lends unknown schemas", known(func(name string, _ []uint64) stem.TaskSpec { return reads(name) }), []string{
		"Broker/an envelope of an unknown schema is not lent",
		"Broker/a schema read under one name is not read under another",
		"Broker/schemas that differ in one bit differ",
		"Broker/a blocked receiver that comes to read nothing blocks on",
		"Broker/unknown schemas do not hold up known ones",
		"Broker/a delayed envelope of an unknown schema waits for its delay and a receiver",
		"Broker/an envelope that comes back is lent only to those who read it",
		"Broker/lapsed deliveries are taken over only by those who read them",
	}},

	{"reads one schema of each task", known(func(name string, schemas []uint64) stem.TaskSpec {
		return reads(name, schemas[:min(1, len(schemas))]...)
	}), []string{"Broker/an older schema that is read is lent like the newest"}},

	{"wants every receiver to tell a schema", known(func(name string, schemas []uint64) stem.TaskSpec {
		return reads(name, append(slices.Clone(schemas), 1)...)
	}), []string{"Broker/a receiver without a schema of a task is lent all of it"}},

	{"wants every envelope to tell a schema", envelope(func(e *stem.Envelope) { e.Fingerprint = max(e.Fingerprint, 1) }), []string{
		"Broker/an envelope without a schema is lent to whoever has the task",
	}},

	{"knows schemas and forgets whose", request(func(req *stem.ReceiveRequest) {
		var all []uint64
		for _, schemas := range req.Tasks.All() {
			all = append(all, schemas...)
		}
		know(req, func(name string, _ []uint64) stem.TaskSpec { return reads(name, all...) })
	}), []string{"Broker/a schema read under one name is not read under another"}},

	{"keeps fingerprints as doubles", compressed(func(f uint64) uint64 { return uint64(float64(f/2)) * 2 }),
		[]string{"Broker/schemas that differ in one bit differ"}},

	{"keeps fingerprints without the highest bit", compressed(func(f uint64) uint64 { return f &^ (1 << 63) }),
		[]string{"Broker/schemas that differ in one bit differ"}},

	{"serves one schema after the other", broker(func(b *faultyBroker) {
		b.deliveries = func(ds []stem.Delivery) []stem.Delivery {
			slices.SortStableFunc(ds, func(a, b stem.Delivery) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
			return ds
		}
	}), []string{"Broker/the schemas of a task wait in one line"}},
}

// reads gives what is said of a task whose receiver reads the schemas.
func reads(name string, schemas ...uint64) stem.TaskSpec {
	spec := stem.TaskSpec{Name: name}
	if n := len(schemas); n > 0 {
		spec.Schema = stem.Schema{Fingerprint: schemas[n-1], Older: schemas[:n-1]}
	}
	return spec
}

// know changes what a request says that it knows.
func know(req *stem.ReceiveRequest, change func(name string, schemas []uint64) stem.TaskSpec) {
	if req.Tasks == nil {
		return
	}
	var specs []stem.TaskSpec
	for name, schemas := range req.Tasks.All() {
		specs = append(specs, change(name, schemas))
	}
	req.Tasks = stem.NewTaskSet(specs...)
}

// known makes a fault of what a broker understands of every request.
func known(change func(name string, schemas []uint64) stem.TaskSpec) func(*adaptertest.Stores) {
	return request(func(req *stem.ReceiveRequest) { know(req, change) })
}

// compressed makes a fault of how a broker keeps fingerprints.
func compressed(keep func(fingerprint uint64) uint64) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) {
		b.envelope = func(e *stem.Envelope) { e.Fingerprint = keep(e.Fingerprint) }
		b.request = func(req *stem.ReceiveRequest) {
			know(req, func(name string, schemas []uint64) stem.TaskSpec {
				kept := make([]uint64, len(schemas))
				for i, f := range schemas {
					kept[i] = keep(f)
				}
				return reads(name, kept...)
			})
		}
	})
}
