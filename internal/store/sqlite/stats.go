package sqlite

import (
	"os"
	"sync/atomic"
)

// counters are what Stats cannot see by looking.
type counters struct {
	opened, waiting    atomic.Int64 // readers, and calls that wait for one
	commits, committed atomic.Int64 // transactions, and the writes in them
	recentHits         atomic.Int64 // reads that were answered from memory
}

// Stats is what the store does at one moment, and what it has done since it was
// opened.
type Stats struct {
	Readers, ReadersOpen, ReadersInUse int64 // bound, opened so far, at work
	ReadersWaiting                     int64 // calls that wait for a reader
	WritesQueued                       int64 // writes that no transaction has taken yet
	Commits, CommittedWrites           int64 // a write that was refused counts, too
	RecentHits, RecentBytes            int64 // reads that were answered from memory, and what is kept there
	DatabaseBytes, WALBytes            int64
}

// Stats costs two looks at the file system and no query.
func (s *Store) Stats() Stats {
	return Stats{
		Readers: int64(cap(s.readers)), ReadersOpen: s.opened.Load(),
		ReadersInUse: int64(cap(s.readers) - len(s.readers)), ReadersWaiting: s.waiting.Load(),
		WritesQueued: int64(len(s.jobs)),
		Commits:      s.commits.Load(), CommittedWrites: s.committed.Load(),
		RecentHits: s.recentHits.Load(), RecentBytes: s.recent.size(),
		DatabaseBytes: sizeOf(s.path), WALBytes: sizeOf(s.path + "-wal"),
	}
}

// sizeOf gives the size of a file; 0 if it is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
