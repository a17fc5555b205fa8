package sqlite

import (
	"os"
	"sync/atomic"
)

// counters holds the numbers that Stats cannot find out otherwise.
type counters struct {
	opened, waiting    atomic.Int64 // readers, and calls that wait for a reader
	commits, committed atomic.Int64 // transactions, and the writes in them
	recentHits         atomic.Int64 // reads that were served from memory
}

// Stats describes what the store does at one moment, and what it has done since
// it was opened.
type Stats struct {
	Readers, ReadersOpen, ReadersInUse int64 // limit, opened so far, in use
	ReadersWaiting                     int64 // calls that wait for a reader
	WritesQueued                       int64 // writes that are not yet part of a transaction
	Commits, CommittedWrites           int64 // rejected writes count, too
	RecentHits, RecentBytes            int64 // reads that were served from memory, and the size of that memory
	DatabaseBytes, WALBytes            int64
}

// Stats returns the current numbers. It reads two file sizes and runs no query.
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

// sizeOf returns the size of a file, or 0 if it does not exist.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
