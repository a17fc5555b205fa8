package maintenance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"web-backend/internal/config"
	"web-backend/internal/fileowner"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// The times between attempts after a failure.
const (
	retryFirst = time.Minute // after the first failure; it doubles after each further failure
	retryMost  = time.Hour
)

// scheduledName matches the names of scheduled backups. Other files in their
// folder are never touched. The names sort in order of time.
const (
	scheduledPrefix = "web-backend-"
	scheduledTime   = "20060102T150405.000Z"
)

// scheduledAt returns the name of a backup that is made at this time.
func scheduledAt(at time.Time) string {
	return scheduledPrefix + at.UTC().Format(scheduledTime) + ".db"
}

var scheduledName = regexp.MustCompile(`^web-backend-(\d{8}T\d{6}\.\d{3}Z)\.db$`)

// ErrBackupRunning means that a backup is already being made.
var ErrBackupRunning = errors.New("a backup is already being made")

// Schedule makes backups at regular intervals, and when it is asked to, until
// it is stopped. It makes one at a time.
type Schedule struct {
	cfg    *config.Config
	every  time.Duration // 0 for no intervals
	keep   int
	dir    string // folder of the backups
	data   string // folder of the embedded store
	log    *slog.Logger
	done   func(at time.Time, size int64, err error) // called for each backup, and at the start for the last one
	ctx    context.Context                           //nolint:containedctx // of every backup; it ends with the schedule
	cancel context.CancelFunc
	ended  chan struct{}
	making sync.Mutex  // held while a backup is made
	busy   atomic.Bool // set while making is held for a backup
}

// ScheduleBackups starts the schedule of the configuration. It returns nil if
// the store cannot be backed up this way. done is called with the result of each
// backup.
func ScheduleBackups(
	cfg *config.Config, log *slog.Logger, done func(at time.Time, size int64, err error),
) *Schedule {
	if err := store.CanBackUp(cfg); err != nil {
		if cfg.Backup.Every > 0 {
			log.Warn("backup.every has no effect", "reason", err)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Schedule{
		cfg: cfg, every: cfg.Backup.Every, keep: cfg.Backup.Keep, dir: cfg.Backup.Dir, data: cfg.DataDir,
		log: log, done: done, ctx: ctx, cancel: cancel, ended: make(chan struct{}),
	}
	if b.every == 0 {
		close(b.ended)
	} else {
		go b.run(ctx)
	}
	return b
}

// Stop aborts a backup in progress, and returns when the schedule has ended. It
// may be called once.
func (b *Schedule) Stop() {
	if b == nil {
		return
	}
	b.cancel()
	<-b.ended
	b.making.Lock() // for ever: no other backup may start
}

// MakeNow makes a backup as [WriteBackup] does, in the folder of backups. It
// returns when the backup has ended or ctx ends; the end of ctx does not stop
// the backup. The error is [ErrBackupRunning] if another one is being made.
func (b *Schedule) MakeNow(ctx context.Context) error {
	if !b.making.TryLock() {
		return ErrBackupRunning
	}
	b.busy.Store(true)
	ended := make(chan error, 1)
	go func() {
		err := b.makeNow()
		b.busy.Store(false)
		b.making.Unlock()
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Schedule) makeNow() error {
	began := time.Now()
	made, err := WriteBackup(b.ctx, b.cfg, "")
	if b.ctx.Err() != nil {
		return err // the server is stopping
	}
	b.done(began, made.Bytes, err)
	if err != nil {
		b.log.Error("backup failed", "dir", b.dir, "error", err, "remedy", makeRoom)
		return err
	}
	b.log.Info("backup made", "file", made.File, "bytes", made.Bytes, "sha256", made.SHA256,
		"users", made.Users, "characters", made.Characters, "duration", time.Since(began))
	return nil
}

// Busy reports whether a backup is being made.
func (b *Schedule) Busy() bool { return b.busy.Load() }

const makeRoom = "make room in backup.dir and let the server write there; `web-backend backup` makes one by hand, elsewhere if need be"

// run makes the backups. The first one is due one interval after the last
// existing backup, so that a server that is restarted every day makes backups
// too.
func (b *Schedule) run(ctx context.Context) {
	defer close(b.ended)
	var wait time.Duration
	if last, size, ok := b.last(); ok {
		b.done(last, size, nil)
		wait = min(max(0, time.Until(last.Add(b.every))), b.every)
	}
	failures := 0 // since the last success
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		began := time.Now()
		err := b.make(ctx, began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = retryAfter(failures, b.every)
			b.done(began, 0, err)
			b.log.Error("backup failed", "dir", b.dir, "error", err, "next_try", wait, "remedy", makeRoom)
		default:
			failures, wait = 0, max(0, b.every-time.Since(began))
		}
	}
}

// retryAfter returns how long to wait after this number of failures, which is
// at least 1.
func retryAfter(failures int, every time.Duration) time.Duration {
	const doublings = 6 // enough to exceed retryMost
	return min(retryFirst<<min(failures-1, doublings), retryMost, every)
}

// make makes one backup and then removes the oldest ones if there are too many.
func (b *Schedule) make(ctx context.Context, now time.Time) error {
	b.making.Lock()
	defer b.making.Unlock()
	b.busy.Store(true)
	defer b.busy.Store(false)
	if err := fileowner.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(b.dir, scheduledAt(now))
	made, err := sqlite.WriteBackup(ctx, b.data, file)
	if err != nil {
		return err
	}
	b.log.Info("backup made", "file", file, "bytes", made.Size, "sha256", made.SHA256,
		"users", made.Counts.Users, "characters", made.Counts.Characters, "duration", time.Since(now))
	b.done(now, made.Size, nil)
	names, err := b.names(now)
	for _, name := range names[:max(0, len(names)-b.keep)] {
		err = errors.Join(err, os.Remove(filepath.Join(b.dir, name)))
	}
	if err != nil {
		b.log.Warn("old backups cannot be removed", "dir", b.dir, "error", err)
	}
	return nil
}

// names returns the names of the scheduled backups, oldest first. Backups with
// a time in the future count as the oldest: the clock was wrong when they were
// made, and they must not displace each new backup.
func (b *Schedule) names(now time.Time) (names []string, err error) {
	entries, err := os.ReadDir(b.dir)
	for _, entry := range entries {
		if entry.Type().IsRegular() && scheduledName.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	past, _ := slices.BinarySearch(names, scheduledAt(now.Add(time.Millisecond))) // now is not in the future
	return slices.Concat(names[past:], names[:past]), err
}

// last returns when the newest backup was made, and its size in bytes. ok is
// false if there is none.
func (b *Schedule) last() (at time.Time, size int64, ok bool) {
	names, _ := b.names(time.Now()) // a folder that is missing or unreadable counts as empty
	if len(names) == 0 {
		return time.Time{}, 0, false
	}
	newest := names[len(names)-1]
	if info, err := os.Stat(filepath.Join(b.dir, newest)); err == nil {
		size = info.Size()
	}
	at, err := time.Parse(scheduledTime, scheduledName.FindStringSubmatch(newest)[1])
	return at, size, err == nil
}
