// Package maintenance maintains the embedded store: its backups, and the master
// keys that seal provider keys.
package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"web-backend/internal/config"
	"web-backend/internal/fileowner"
	"web-backend/internal/masterkey"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// BackupReport describes the contents of a backup. Its JSON form is for
// programs, Text for people.
type BackupReport struct {
	File         string         `json:"file"`
	Bytes        int64          `json:"bytes"`
	SHA256       string         `json:"sha256"`
	Schema       int64          `json:"schema"`
	Users        int64          `json:"users"`
	Credentials  int64          `json:"credentials"`
	Configs      int64          `json:"configs"`
	Characters   int64          `json:"characters"`
	ProviderKeys int64          `json:"provider_keys"`
	MasterKeys   []masterkey.ID `json:"master_keys"` // the keys that sealed the provider keys
	Plain        int            `json:"plain"`       // number of provider keys that are not sealed yet
	Seconds      float64        `json:"seconds"`
}

// WriteBackup copies the embedded store to a new file. A server may use the
// store at the same time. If file is "", the backup is created in the folder of
// backups and its name contains the time.
func WriteBackup(ctx context.Context, cfg *config.Config, file string) (BackupReport, error) {
	if err := store.CanBackUp(cfg); err != nil {
		return BackupReport{}, err
	}
	began := time.Now()
	if file == "" && sqlite.Exists(cfg.DataDir) { // without a database nothing is created
		file = filepath.Join(cfg.Backup.Dir, "web-backend-manual-"+began.UTC().Format(scheduledTime)+".db")
		if err := fileowner.MkdirAll(cfg.Backup.Dir, 0o700); err != nil {
			return BackupReport{}, fmt.Errorf("backup.dir: %w", err)
		}
	}
	if err := store.NotOwn(cfg, file); err != nil {
		return BackupReport{}, err
	}
	made, err := sqlite.WriteBackup(ctx, cfg.DataDir, file)
	if errors.Is(err, fs.ErrNotExist) && !sqlite.Exists(cfg.DataDir) {
		err = fmt.Errorf("there is nothing to back up: no database is in %s", cfg.DataDir)
	}
	if err != nil {
		return BackupReport{}, err
	}
	keys, err := sqlite.InspectKeysOf(file, masterkey.Ring{})
	if err != nil {
		return BackupReport{}, err
	}
	return reportBackup(made, keys, began), nil
}

func reportBackup(b sqlite.Backup, keys sqlite.KeyCheck, began time.Time) BackupReport {
	report := BackupReport{
		File: b.Path, Bytes: b.Size, SHA256: b.SHA256, Schema: b.Schema,
		Users: b.Counts.Users, Credentials: b.Counts.Credentials, Configs: b.Counts.Configs,
		Characters: b.Counts.Characters, ProviderKeys: b.Counts.ProviderKeys,
		MasterKeys: []masterkey.ID{}, Plain: keys.Plain, Seconds: time.Since(began).Seconds(),
	}
	for _, by := range keys.Sealed {
		report.MasterKeys = append(report.MasterKeys, by.ID)
	}
	return report
}

// Text returns the report as text for people.
func (r BackupReport) Text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "file            %s\nsize            %d bytes\nsha256          %s\nschema          version %d\n",
		r.File, r.Bytes, r.SHA256, r.Schema)
	fmt.Fprintf(&text, "users           %d\n  credentials   %d\n  configs       %d\ncharacters      %d\nprovider keys   %d\n",
		r.Users, r.Credentials, r.Configs, r.Characters, r.ProviderKeys)
	for _, id := range r.MasterKeys {
		fmt.Fprintf(&text, "  needs         master key %s, which is not in the file\n", id)
	}
	if r.Plain > 0 {
		fmt.Fprintf(&text, "  PLAIN         %d, readable in the file: start this version with a master key, and make another\n", r.Plain)
	}
	fmt.Fprintf(&text, "time            %.2f s\n", r.Seconds)
	return text.String()
}
