package stemgen

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A State is how a generated file on disk stands to what it should be.
type State string

// The states.
const (
	Current  State = "current"
	Missing  State = "missing"
	Stale    State = "stale"
	Orphaned State = "orphaned" // its package has no tasks any more
)

// State tells how the file on disk stands to what it should be.
func (f File) State() State {
	switch {
	case f.Want == nil:
		return Orphaned
	case f.Have == nil:
		return Missing
	case bytes.Equal(f.Have, f.Want):
		return Current
	default:
		return Stale
	}
}

// Write makes the file on disk what it should be. It does nothing where it is that
// already, leaves a file alone that stemgen did not write, and replaces the old one in
// one step, so that nobody ever sees half of it.
func (f File) Write() error {
	state := f.State()
	if state == Current {
		return nil
	}
	have, err := os.ReadFile(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if state == Orphaned {
			return nil
		}
	case err != nil:
		return err
	case !f.isOurs(have):
		return fmt.Errorf("%s was not written by stemgen and is left alone", f.Path)
	}
	if state == Orphaned {
		return os.Remove(f.Path)
	}
	return replace(f.Path, f.Want)
}

// isOurs tells whether stemgen wrote what stands in the file's place.
func (f File) isOurs(have []byte) bool {
	if filepath.Base(f.Path) != LockName {
		return isOurs(have)
	}
	_, err := parseLock(have)
	return err == nil
}

// replace writes a file beside the old one and renames it into its place. Where the
// old one is a symbolic link, the file that it leads to is replaced; its mode stays.
func replace(path string, content []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode := os.FileMode(0o644)
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode().Perm()
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".stem_gen-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: no file can be made in folder %s: %w", filepath.Base(path), filepath.Dir(path), bare(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("%s cannot be replaced: %w", path, bare(err))
	}
	return nil
}

// bare gives an error about a file without the file's name: its reader knows that, or
// would not know it as that of a temporary file.
func bare(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok {
		return at.Err
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return at.Err
	}
	return err
}
