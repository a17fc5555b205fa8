package masterkey

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"web-backend/internal/backend"
	"web-backend/internal/secretfile"
)

// The sources of master keys, in the words of keys doctor.
const (
	FromConfig = "configuration"
	FromFile   = "file"
	FromNone   = "none"
)

// Found describes the master keys in the configuration and in the data folder.
type Found struct {
	Ring   Ring
	Source string // one of the places above
	Path   string // path of the key file, even if it is not used
	Fault  error  // why the key file cannot be used
}

// Find looks for master keys in the configuration and in the data folder. The
// keys in the configuration have priority; they were checked when the
// configuration was loaded. Find does not create anything.
func Find(configured backend.Secret, dataDir string) (Found, error) {
	found := Found{Source: FromNone, Path: filepath.Join(dataDir, FileName)}
	if configured.IsSet() {
		ring, err := Parse(configured)
		if err != nil {
			return found, fmt.Errorf("master_key: %w", err)
		}
		found.Ring, found.Source = ring, FromConfig
		return found, nil
	}
	if err := secretfile.CheckFolder(dataDir); err != nil { // before any content of the folder is trusted
		return found, fmt.Errorf("data folder %w", err)
	}
	ring, err := ReadFile(found.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		found.Source, found.Fault = FromFile, err
	default:
		found.Ring, found.Source = ring, FromFile
	}
	return found, nil
}

// Texts returns the printed forms of ids.
func Texts(ids []ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}
