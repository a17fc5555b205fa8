package maintenance

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/secretfile"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// KeyReport is the result of keys doctor. It contains no key. Its JSON form is
// for programs, Text for people.
type KeyReport struct {
	Store      string     `json:"store"`
	Source     string     `json:"source,omitempty"` // configuration, file or none
	File       string     `json:"file,omitempty"`   // path of the key file, which may not exist
	Keys       []KeyInUse `json:"keys"`
	Missing    []KeyInUse `json:"missing"` // keys that sealed values but cannot be found
	Plain      int        `json:"plain"`   // number of values from a version that did not seal
	Unreadable int        `json:"unreadable"`
	Notes      []string   `json:"notes"`
	Verdict    string     `json:"verdict"`
	OK         bool       `json:"ok"`
}

// KeyInUse describes what one master key has sealed.
type KeyInUse struct {
	ID     masterkey.ID `json:"id"`
	Seals  bool         `json:"seals"`  // new values are sealed with this key
	Values int          `json:"values"` // number of values that it has sealed
	Opened int          `json:"opened"` // number of these values that it opens
}

// DoctorKeys examines the master keys and the values that they have sealed. It
// changes nothing, and a server may run at the same time. It returns an error
// if the examination fails; the problems that it finds are in the report.
func DoctorKeys(cfg *config.Config) (KeyReport, error) {
	report := KeyReport{Store: cfg.Store, Keys: []KeyInUse{}, Missing: []KeyInUse{}, Notes: []string{}, OK: true}
	if err := store.SealsKeys(cfg); err != nil {
		report.Verdict = err.Error()
		return report, nil //nolint:nilerr // the report says that the store has no sealed keys
	}
	found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
	if err != nil {
		return report, err
	}
	report.Source, report.File = found.Source, found.Path
	check, err := sqlite.InspectKeys(cfg.DataDir, found.Ring)
	if errors.Is(err, fs.ErrNotExist) {
		report.Notes = append(report.Notes, fmt.Sprintf("there is no database in %s yet", cfg.DataDir))
	} else if err != nil {
		return report, err
	}
	report.count(found.Ring, check)
	report.note(found)
	report.judge(found)
	return report, nil
}

// count fills in which key has sealed how many values.
func (r *KeyReport) count(ring masterkey.Ring, check sqlite.KeyCheck) {
	sealed := map[masterkey.ID]sqlite.SealedBy{}
	for _, by := range check.Sealed {
		sealed[by.ID] = by
		r.Unreadable += by.Values - by.Opened
		if !ring.Has(by.ID) {
			r.Missing = append(r.Missing, KeyInUse{ID: by.ID, Values: by.Values})
		}
	}
	for i, key := range ring.Keys() {
		by := sealed[key.ID()]
		r.Keys = append(r.Keys, KeyInUse{ID: key.ID(), Seals: i == 0, Values: by.Values, Opened: by.Opened})
	}
	r.Plain = check.Plain
}

// note adds observations that are not errors by themselves.
func (r *KeyReport) note(found masterkey.Found) {
	if mode, exposed := secretfile.Exposed(found.Path); exposed {
		r.Notes = append(r.Notes, fmt.Sprintf("%s can be read by others (mode %04o); run: chmod 600 %s", found.Path, mode, found.Path))
	}
	if found.Source == masterkey.FromConfig {
		if unused, err := masterkey.ReadFile(found.Path); err == nil {
			for _, key := range unused.Keys() {
				if found.Ring.Has(key.ID()) {
					continue
				}
				r.Notes = append(r.Notes, fmt.Sprintf("%s holds key %s, which is not used because master_key is set; "+
					"add it to master_key if it has sealed anything", found.Path, key.ID()))
			}
		}
	}
	if len(r.Keys) > 1 && found.Source == masterkey.FromFile {
		r.Notes = append(r.Notes, "the file holds an older key still; `web-backend keys rotate` finishes with it")
	}
	if r.Plain > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("plain provider keys: %d; the next start with a master key seals them", r.Plain))
	}
}

// judge sets the verdict.
func (r *KeyReport) judge(found masterkey.Found) {
	altered := r.Unreadable
	for _, key := range r.Missing {
		altered -= key.Values
	}
	var faults []string
	if found.Fault != nil {
		faults = append(faults, found.Fault.Error())
	}
	if len(r.Missing) > 0 {
		faults = append(faults, fmt.Sprintf("%s sealed with a master key that is missing; "+
			"put that key back, or see docs/provider-keys.md about a lost one", keysAre(r.Unreadable-altered)))
	}
	if altered > 0 {
		faults = append(faults, fmt.Sprintf("%s damaged; a user can set such a key again", keysAre(altered)))
	}
	switch {
	case len(faults) > 0:
		r.OK, r.Verdict = false, strings.Join(faults, "; ")
	case found.Source == masterkey.FromNone:
		r.Verdict = "there is no master key yet; the first start makes one"
	default:
		r.Verdict = "every sealed provider key opens"
	}
}

// Text returns the report as text for people.
func (r KeyReport) Text() string {
	if r.Source == "" {
		return r.Verdict + "\n"
	}
	var text strings.Builder
	switch r.Source {
	case masterkey.FromConfig:
		fmt.Fprintln(&text, "master key      from the configuration (master_key)")
	case masterkey.FromFile:
		fmt.Fprintf(&text, "master key      from %s\n", r.File)
	default:
		fmt.Fprintf(&text, "master key      none: master_key is not set and there is no %s\n", r.File)
	}
	for _, key := range r.Keys {
		role := "opens"
		if key.Seals {
			role = "seals and opens"
		}
		fmt.Fprintf(&text, "  %s  %s; values %d, open %d\n", key.ID, role, key.Values, key.Opened)
	}
	for _, key := range r.Missing {
		fmt.Fprintf(&text, "  %s  MISSING; values %d, open 0\n", key.ID, key.Values)
	}
	fmt.Fprintf(&text, "plain values    %d\nunreadable      %d\n", r.Plain, r.Unreadable)
	for _, note := range r.Notes {
		fmt.Fprintf(&text, "note            %s\n", note)
	}
	fmt.Fprintf(&text, "verdict         %s\n", r.Verdict)
	return text.String()
}

// keysAre returns a count of provider keys, with its verb, for use in a
// sentence.
func keysAre(count int) string {
	if count == 1 {
		return "1 provider key is"
	}
	return fmt.Sprintf("%d provider keys are", count)
}
