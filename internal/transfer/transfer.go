// Package transfer is the export file: JSON lines, a header, each user followed
// by its characters, and a footer with a checksum, in an age container if it
// shall be encrypted. docs/moving-data.md describes it for other programs.
package transfer

import (
	"time"

	"web-backend/internal/backend"
)

// Format and Version are what a header says of the file. A change that this
// version's Reader would misread makes a new version.
const (
	Format  = "web-backend-export"
	Version = 1
)

// Bounds of a file, in bytes. The Writer keeps them too: it makes no file that
// the Reader refuses.
const (
	MaxLine = 16 << 20
	MaxUser = 128 << 20 // all lines of one user
)

// MaxCharacters bounds the characters of one user in a file, which is read whole
// into memory: short lines take ten times their length there.
const MaxCharacters = backend.MaxMovedCharacters

// The kinds of lines.
const (
	kindHeader    = "header"
	kindUser      = "user"
	kindCharacter = "character"
	kindFooter    = "footer"
)

// Header is the first line.
type Header struct {
	CreatedAt time.Time // in UTC
	Secrets   bool      // passwords and provider keys are in the file
	// Users and Characters are what the store held when the export began: what
	// a progress bar needs. The footer has the numbers of the file.
	Users, Characters int64
}

// Totals count what a file holds.
type Totals struct {
	Users        int64
	Credentials  int64 // users with a user name
	Characters   int64
	Passwords    int64
	ProviderKeys int64
	Checksum     string // SHA-256 of all bytes before the footer, in hexadecimal
}
