package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/failpoint"
)

// maxBatch is the largest number of writes that share one commit. It is large
// enough to hide the cost of the sync, and small enough to limit how many
// writes one failed commit undoes.
const maxBatch = 256

// job is one write that the writer goroutine runs.
type job struct {
	ctx   context.Context //nolint:containedctx // the job is the call, handed to the writer goroutine
	users []string        // users whose config or characters it changes; nil for all users
	run   func(*conn) error
	done  chan error // buffered: the writer never waits for the caller
}

// write runs fn in the writer goroutine, atomically, and returns when its
// effect is on disk or undone. If ctx ends while the job waits, fn does not
// run. After fn has started, write waits for its result, so that the caller
// gets the true outcome. fn may change only the config and the characters of
// users; nil means all users.
func (s *Store) write(ctx context.Context, users []string, fn func(*conn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.readOnly != nil {
		return errReadOnly
	}

	j := &job{ctx: ctx, users: users, run: fn, done: make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	return storeError(fullDisk(<-j.done, filepath.Dir(s.path)))
}

// writeLoop is the writer goroutine. It implements durable group commit: it
// takes all waiting jobs, runs each on its own savepoint, commits once, and
// then sends each job its result.
func (s *Store) writeLoop() {
	defer close(s.writerDone)
	batch := make([]*job, 0, maxBatch)
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for {
		var first *job
		select {
		case first = <-s.jobs:
		case <-idle.C:
			if !s.foldWhenIdle() {
				idle.Reset(idleAfter)
			}
			continue
		}
		if first == nil {
			return // the store is closed
		}
		batch = append(batch[:0], first)
		for len(batch) < maxBatch && len(s.jobs) > 0 {
			batch = append(batch, <-s.jobs)
		}
		for rest := batch; len(rest) > 0; {
			rest = rest[s.commit(rest):]
		}
		clear(batch)
		idle.Reset(idleAfter)
	}
}

// If no write arrives for idleAfter, the WAL is folded into the database file.
const idleAfter = time.Second

// foldWhenIdle moves the content of the WAL into the database file, so that a
// copy of that file alone is complete if the server is idle. It does not wait
// for readers, and returns false if a reader kept a part of the WAL in use.
func (s *Store) foldWhenIdle() bool {
	whole := false
	err := s.writer.query(`PRAGMA wal_checkpoint(PASSIVE)`, nil, func(row *sqlite3.Stmt) error {
		whole = row.ColumnInt(0) == 0 && row.ColumnInt(1) == row.ColumnInt(2) // busy; WAL pages, folded pages
		return nil
	})
	return whole || err != nil // after a disk error, try again only after the next write
}

// commit runs jobs in one transaction and sends each job its result. It returns
// the number of jobs that have their result. That is less than len(jobs) if
// SQLite gave up the transaction half-way, which it does when the disk is full.
func (s *Store) commit(jobs []*job) (finished int) {
	if _, err := s.writer.run(`BEGIN IMMEDIATE`); err != nil {
		finish(jobs, make([]error, len(jobs)), err)
		return len(jobs)
	}
	failpoint.Hit(failpoint.Begun)
	results := make([]error, len(jobs))
	for i, j := range jobs {
		results[i] = s.runJob(j)
		failpoint.Hit(failpoint.JobRun)
		if s.writer.GetAutocommit() {
			lost := fmt.Errorf("the transaction was given up: %w", results[i])
			finish(jobs[:i+1], results[:i+1], lost)
			return i + 1
		}
	}
	end := s.recent.begin(jobs)
	_, err := s.writer.run(`COMMIT`)
	end()
	failpoint.Hit(failpoint.Committed)
	if err != nil && !s.writer.GetAutocommit() {
		_, rollbackErr := s.writer.run(`ROLLBACK`)
		err = errors.Join(err, rollbackErr)
	}
	if err == nil {
		s.commits.Add(1)
		s.committed.Add(int64(len(jobs)))
	}
	finish(jobs, results, err)
	return len(jobs)
}

// finish sends each job its result. If the transaction failed, err is its
// error, and all jobs get err: no result is valid then, because even a
// rejection may be based on a write that was undone.
func finish(jobs []*job, results []error, err error) {
	for i, j := range jobs {
		if err != nil {
			results[i] = err
		}
		j.done <- results[i]
	}
}

// runJob runs one job on a savepoint, so that its failure does not undo other
// jobs. If the savepoint cannot be ended, runJob rolls back the whole
// transaction, because otherwise a part of the job would be committed.
func (s *Store) runJob(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return unavailable(err)
	}
	if _, err := s.writer.run(`SAVEPOINT job`); err != nil {
		return err
	}
	err := recovered(func() error { return j.run(s.writer) })
	if s.writer.GetAutocommit() {
		return err // SQLite itself gave up the transaction
	}
	var endErr error
	if err != nil {
		_, endErr = s.writer.run(`ROLLBACK TO job`)
	}
	if endErr == nil {
		_, endErr = s.writer.run(`RELEASE job`)
	}
	if endErr != nil {
		_, rollbackErr := s.writer.run(`ROLLBACK`)
		return errors.Join(endErr, rollbackErr)
	}
	return err
}

// recovered turns a panic of fn into an error. The writer serves all requests
// and must survive a bad one.
func recovered(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in a write: %v", v)
		}
	}()
	return fn()
}
