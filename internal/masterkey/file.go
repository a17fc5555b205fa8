package masterkey

import (
	"fmt"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/secretfile"
)

// FileName is the name of the key file in a data folder.
const FileName = "master.key"

// ReadFile reads the ring of a key file. The file has one key per line, and the
// first key is the one that seals. An error does not show any part of the file.
// It is fs.ErrNotExist only if nothing exists at path, not even a dangling
// link.
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

// WriteFile writes a ring to a key file that only its owner may read. Like
// [secretfile.Write], it writes the whole file or nothing.
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
