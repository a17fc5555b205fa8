package masterkey

import (
	"fmt"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/secretfile"
)

// FileName is the name of the key file in a data folder.
const FileName = "master.key"

// ReadFile reads the ring of a key file: a key per line, the sealing one
// first. An error shows nothing of the file; it is fs.ErrNotExist only if
// nothing is at path, not even a link that leads nowhere.
func ReadFile(path string) (Ring, error) {
	text, err := secretfile.Read(path)
	if err != nil {
		return Ring{}, fmt.Errorf("key file: %w", err)
	}
	ring, err := Parse(text)
	if err != nil {
		return Ring{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return ring, nil
}

// WriteFile puts a ring in a key file that its owner alone may read, as
// [secretfile.Write] does: whole, or not at all.
func WriteFile(path string, ring Ring) error {
	lines := make([]string, len(ring.keys))
	for i, key := range ring.keys {
		lines[i] = key.text.Reveal() + "\n"
	}
	if err := secretfile.Write(path, backend.NewSecret(strings.Join(lines, ""))); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}
