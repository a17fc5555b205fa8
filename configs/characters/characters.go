// Package characters holds the default characters, which every new user gets
// a copy of, in the order of their file names.
package characters

import (
	"embed"
	"fmt"

	"web-backend/internal/backend"
)

//go:embed *.json
var files embed.FS

// All reads the default characters. An error is a mistake in this folder.
func All() ([]backend.Character, error) {
	entries, err := files.ReadDir(".") // sorted by name
	if err != nil {
		return nil, err
	}
	all := make([]backend.Character, len(entries))
	for i, entry := range entries {
		data, err := files.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		if all[i], err = backend.ParseDefaultCharacter(data); err != nil {
			return nil, fmt.Errorf("default character %s: %w", entry.Name(), err)
		}
	}
	return all, nil
}
