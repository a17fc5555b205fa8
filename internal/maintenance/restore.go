package maintenance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// RestoreReport describes the backup that was restored, and whether the
// available master keys open its provider keys. It contains no key. Its JSON
// form is for programs, Text for people.
type RestoreReport struct {
	BackupReport
	Restored    bool           `json:"restored"`            // false if the file was only checked
	Kept        string         `json:"kept,omitempty"`      // path of the old database
	MissingKeys []masterkey.ID `json:"missing_keys"`        // the MasterKeys that are not available
	Unreadable  int            `json:"unreadable"`          // number of provider keys that no available master key opens
	KeyFault    string         `json:"key_fault,omitempty"` // why the key file cannot be used
	Verdict     string         `json:"verdict"`
	KeysOK      bool           `json:"keys_ok"` // every provider key can be opened
}

// Restore replaces the embedded store with a backup. If check is set, it only
// examines the file. No server may use the data folder while it is replaced.
func Restore(ctx context.Context, cfg *config.Config, file string, check bool) (report RestoreReport, err error) {
	if err := store.CanBackUp(cfg); err != nil {
		return report, err
	}
	began := time.Now()
	var done sqlite.Restored
	if check {
		done.Backup, err = sqlite.CheckBackup(ctx, file)
	} else {
		done, err = sqlite.Restore(ctx, cfg.DataDir, file)
	}
	if err != nil {
		return report, err
	}
	found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
	if err != nil {
		return report, err
	}
	keys, err := sqlite.InspectKeysOf(done.Path, found.Ring)
	if err != nil {
		return report, err
	}
	report = RestoreReport{
		BackupReport: reportBackup(done.Backup, keys, began),
		Restored:     !check, Kept: done.Kept, MissingKeys: []masterkey.ID{},
	}
	report.judge(found, keys)
	return report, nil
}

// judge compares the keys that the backup needs with the keys that were found,
// and sets the verdict.
func (r *RestoreReport) judge(found masterkey.Found, keys sqlite.KeyCheck) {
	for _, by := range keys.Sealed {
		r.Unreadable += by.Values - by.Opened
		if !found.Ring.Has(by.ID) {
			r.MissingKeys = append(r.MissingKeys, by.ID)
		}
	}
	if found.Fault != nil {
		r.KeyFault = found.Fault.Error()
	}
	r.KeysOK = r.Unreadable == 0
	switch {
	case len(keys.Sealed) == 0:
		r.Verdict = "no provider key is sealed, so no master key is needed"
	case len(r.MissingKeys) > 0:
		r.Verdict = fmt.Sprintf("%s sealed with a master key that is not here; before the server starts, put it back as %s or in master_key",
			keysAre(r.Unreadable), found.Path)
	case r.Unreadable > 0:
		r.Verdict = fmt.Sprintf("%s damaged; a user can set such a key again", keysAre(r.Unreadable))
	default:
		r.Verdict = "the master key at hand opens every provider key"
	}
}

// Text returns the report as text for people.
func (r RestoreReport) Text() string {
	var text strings.Builder
	if r.Restored {
		text.WriteString("the backup is in place; people have to log in again\n")
	} else {
		text.WriteString("the file is whole; nothing was changed\n")
	}
	text.WriteString(r.BackupReport.Text())
	switch {
	case r.Kept != "":
		fmt.Fprintf(&text, "old database    %s\n", r.Kept)
	case r.Restored:
		text.WriteString("old database    there was none\n")
	}
	for _, id := range r.MissingKeys {
		fmt.Fprintf(&text, "MISSING         master key %s\n", id)
	}
	if r.KeyFault != "" {
		fmt.Fprintf(&text, "key file        %s\n", r.KeyFault)
	}
	fmt.Fprintf(&text, "verdict         %s\n", r.Verdict)
	return text.String()
}
