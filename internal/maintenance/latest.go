package maintenance

import (
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// LatestBackup is the newest backup in a folder.
type LatestBackup struct {
	Name  string // of the file
	At    time.Time
	Bytes int64
}

// backupName matches the names that backups get unless a person chooses one.
var backupName = regexp.MustCompile(`^web-backend-(?:manual-)?(\d{8}T\d{6}\.\d{3}Z)\.db$`)

// Latest returns the newest backup in the folder dir, which the schedule, the
// console or the command line has made. It ignores files whose name was chosen
// by a person, and times in the future, because the clock was wrong then. It
// returns the zero value if there is none.
func Latest(dir string) (latest LatestBackup) {
	entries, _ := os.ReadDir(dir) // a folder that is missing or unreadable counts as empty
	now := time.Now()
	for _, entry := range entries {
		match := backupName.FindStringSubmatch(entry.Name())
		if match == nil || !entry.Type().IsRegular() {
			continue
		}
		at, err := time.Parse(scheduledTime, match[1])
		if err == nil && at.After(latest.At) && !at.After(now) {
			latest = LatestBackup{Name: entry.Name(), At: at}
		}
	}
	if info, err := os.Stat(filepath.Join(dir, latest.Name)); err == nil && latest.Name != "" {
		latest.Bytes = info.Size()
	}
	return latest
}
