// Package failpoint names the moments at which the crash tests of torture/ end
// the program. Nothing of it is in a product: without the build tag failpoints,
// [Hit] is an empty function.
package failpoint

// Point is a moment in the work of the embedded store.
type Point string

// The moments, in the order of one commit.
const (
	Begun     Point = "begun"      // a transaction has begun
	JobRun    Point = "job_run"    // a write has run, and is not committed
	WALWrite  Point = "wal_write"  // before a write to the write-ahead log
	WALSync   Point = "wal_sync"   // before it is synced
	WALSynced Point = "wal_synced" // after it is synced
	Committed Point = "committed"  // after the commit, before any response
	DBWrite   Point = "db_write"   // before a checkpoint writes to the database
	DBSync    Point = "db_sync"    // before a checkpoint syncs the database
	DBSynced  Point = "db_synced"  // after that
)

// Points are all of them.
var Points = []Point{Begun, JobRun, WALWrite, WALSync, WALSynced, Committed, DBWrite, DBSync, DBSynced}
