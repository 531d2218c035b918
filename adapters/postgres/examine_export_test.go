package postgres

import "context"

// OldSnapshots gives what is found of snapshots that are so many seconds old.
func (s *Store) OldSnapshots(ctx context.Context, age int64) (text string, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	found, err := s.examineTables(ctx, conn.Conn(), age)
	for _, f := range found {
		if f.code == "snapshot" {
			text += f.text
		}
	}
	return text, err
}
