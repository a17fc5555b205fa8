package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// What the tests of package sqlite_test see of the inside.
const (
	DatabaseFile = databaseFile
	MaxBatch     = maxBatch
	MaxExpired   = maxExpired
	RecentBytes  = recentBytes
	RecentRead   = recentRead
)

// SchemaVersion is the newest version that this program knows.
var SchemaVersion = len(migrations)

// SchemaV1 makes a file's schema of version 1.
var SchemaV1 = fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = 1;", migrations[0], applicationID)

// OnWriter runs fn on the writer's connection, as one of its writes.
func (s *Store) OnWriter(ctx context.Context, fn func(*sqlite3.Conn) error) error {
	return s.write(ctx, nil, func(c *conn) error { return fn(c.Conn) })
}

// Waiting is how many writes wait for the writer.
func (s *Store) Waiting() int { return len(s.jobs) }
