package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// ErrBackupRunning means that a backup is already being made.
var ErrBackupRunning = errors.New("a backup is already being made")

// backupPatience is how long a page waits for a backup that it has started.
const backupPatience = 3 * time.Second

// Backups makes backups of the store, and describes them. It is empty if the
// store has its own tools for that.
type Backups struct {
	// Make makes a backup. If ctx ends before the backup, the error is that of
	// ctx, and the backup goes on. The error is [ErrBackupRunning] if another
	// one is being made.
	Make   func(ctx context.Context) error
	Status func() BackupStatus
}

// BackupStatus describes the backups.
type BackupStatus struct {
	Every   time.Duration // between scheduled backups; 0 without a schedule
	Running bool
	Folder  string // in which backups are made
	Name    string // of the file of the last backup; "" if there is none
	At      time.Time
	Bytes   int64
	Failure BackupFailure // zero unless the last attempt failed
}

// BackupFailure describes a backup that failed.
type BackupFailure struct {
	At     time.Time
	Reason string
}

// backupView is what an operator sees about the backups, as text.
type backupView struct {
	Folder, Name, Size, Every string
	At                        time.Time // zero if there is no backup
	Running                   bool
}

// backupView returns nil if the store has its own tools for backups. The
// warning is about the last attempt, or empty.
func (v *visit) backupView() (shown *backupView, warning string) {
	if v.options.Backups.Make == nil {
		return nil, ""
	}
	status := v.options.Backups.Status()
	shown = &backupView{Folder: status.Folder, Name: status.Name, Running: status.Running, Every: v.texts["backup_every_none"]}
	if status.Every > 0 {
		shown.Every = strings.ReplaceAll(v.texts["backup_every_value"], "{time}", v.duration(status.Every))
	}
	if status.Name != "" {
		shown.At, shown.Size = status.At, sizeText(status.Bytes)
	}
	if status.Failure.Reason != "" {
		warning = strings.NewReplacer("{time}", timeText(status.Failure.At), "{reason}", status.Failure.Reason).
			Replace(v.texts["warning_backup"])
	}
	return shown, warning
}

// backUp makes a backup. The overview shows how the backup ended, even if it
// ends later.
func (v *visit) backUp() error {
	if v.options.Backups.Make == nil {
		return &pageError{http.StatusNotFound, "backup_elsewhere", nil}
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), backupPatience)
	defer cancel()
	switch err := v.options.Backups.Make(ctx); {
	case err == nil:
		return v.redirectDone("overview", "done_backup_made")
	case errors.Is(err, ErrBackupRunning), errors.Is(err, context.DeadlineExceeded):
		return v.redirectDone("overview", "done_backup_started")
	}
	return v.redirect("overview") // it shows the reason as a warning
}
