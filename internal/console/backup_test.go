package console_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/console"
)

// backupsOf returns backups that end with err, and have this status.
func backupsOf(err error, status console.BackupStatus) console.Backups {
	return console.Backups{
		Make:   func(context.Context) error { return err },
		Status: func() console.BackupStatus { return status },
	}
}

// A backup that ends soon is reported as made. One that takes longer is
// reported as started.
func TestBackUp_Result(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		err  error
		want string
	}{
		"made":        {nil, "/console/overview?done=backup_made"},
		"goes on":     {context.DeadlineExceeded, "/console/overview?done=backup_started"},
		"another one": {console.ErrBackupRunning, "/console/overview?done=backup_started"},
		"failed":      {errors.New("the disk is full"), "/console/overview"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSite(t, settings{backups: backupsOf(x.err, console.BackupStatus{})}).browser(t)
			b.signInOperator(t)
			if got := b.post(t, "/console/backup"); got.status != http.StatusSeeOther || got.to != x.want {
				t.Errorf("%d, to %q, want %q", got.status, got.to, x.want)
			}
		})
	}
}

// The overview shows the last backup, whether one is being made, and why the
// last attempt failed, and has the button only where it can work.
func TestOverview_Backup(t *testing.T) {
	t.Parallel()
	const button, none = `action="backup"`, "none in the folder of backups"
	at := time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC)
	for name, x := range map[string]struct {
		backups    console.Backups
		want, lack []string
	}{
		"on MongoDB": {console.Backups{}, []string{"mongodump"}, []string{button, none}},
		"none":       {backupsOf(nil, console.BackupStatus{}), []string{button, none, "set backup.every"}, []string{"mongodump", "2026"}},
		"one": {backupsOf(nil, console.BackupStatus{Every: 24 * time.Hour, Name: "monday.db", At: at, Bytes: 12e6}),
			[]string{button, "<dd>monday.db</dd>", "<dd>12.0 MB</dd>", `<time datetime="2026-03-01T04:05:06Z">2026-03-01 04:05 UTC</time>`, "every 1 d<"},
			[]string{none, "class=\"warning\""}},
		"running": {backupsOf(nil, console.BackupStatus{Running: true}), []string{"A backup is being made"}, []string{button}},
		"failed": {backupsOf(nil, console.BackupStatus{Failure: console.BackupFailure{At: at, Reason: "disk <full>"}}),
			[]string{button, "class=\"warning\"", "The last backup failed (2026-03-01 04:05 UTC): disk &lt;full&gt;.", "docs/backup.md"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSite(t, settings{backups: x.backups}).browser(t)
			b.signInOperator(t)
			got := b.get(t, "/console/overview").body
			for _, want := range x.want {
				if !strings.Contains(got, want) {
					t.Errorf("the overview lacks %q: %s", want, got)
				}
			}
			for _, bad := range x.lack {
				if strings.Contains(got, bad) {
					t.Errorf("the overview has %q: %s", bad, got)
				}
			}
		})
	}
}
