package masterkey

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"web-backend/internal/backend"
	"web-backend/internal/secretfile"
)

// The places that master keys come from, as keys doctor names them.
const (
	FromConfig = "configuration"
	FromFile   = "file"
	FromNone   = "none"
)

// Found is what the configuration or the data folder has of master keys.
type Found struct {
	Ring   Ring
	Source string // one of the places above
	Path   string // of the key file, also when it is not used
	Fault  error  // why the key file cannot be used
}

// Find looks where master keys can be: the configuration, whose text goes first
// and was judged when it was loaded, and the data folder. It makes nothing.
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
	if err := secretfile.CheckFolder(dataDir); err != nil { // before anything of it is believed
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

// Texts returns ids as they are written for people.
func Texts(ids []ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}
