package postgres

import (
	"context"
	"io/fs"

	"github.com/gostem/gostem/stem"
)

// MigrateFiles migrates by other files than those of the program, and tells whether a program that has these can
// work with the schema then.
func MigrateFiles(ctx context.Context, db DB, schema string, files fs.FS) error {
	steps, err := load(files)
	if err != nil {
		return err
	}
	return steps.migrate(ctx, db, schema)
}

// Suits tells whether a program that knows the steps up to a version can work with the schema.
func Suits(ctx context.Context, db DB, schema string, version int) error {
	is, err := look(ctx, db, schema)
	if err != nil {
		return err
	}
	return is.suits(version)
}

// Channel names the channel on which a store announces work.
func (s *Store) Channel() string { return channelName(s.cfg.Schema, workChannel) }

// Tidy deletes what has expired.
func (s *Store) Tidy(ctx context.Context) error { return s.tidy(ctx) }

// Misplace lets deliveries look for their rows where those of others lie: each where the next one is.
func Misplace(ds []stem.Delivery) {
	first := ds[0].Receipt.(*receipt).spot
	for i := range ds[1:] {
		ds[i].Receipt.(*receipt).spot = ds[i+1].Receipt.(*receipt).spot
	}
	ds[len(ds)-1].Receipt.(*receipt).spot = first
}
