// Package transfer reads and writes the export file. It consists of JSON lines:
// a header, each user followed by its characters, and a footer with a checksum.
// An encrypted file is inside an age container. docs/moving-data.md describes
// the file for other programs.
package transfer

import (
	"time"

	"web-backend/internal/backend"
)

// Format and Version identify the file format in a header. A change that the
// Reader of this version would misread needs a new version.
const (
	Format  = "web-backend-export"
	Version = 1
)

// Size limits of a file, in bytes. The Writer respects them, too, so that it
// never writes a file that the Reader rejects.
const (
	MaxLine = 16 << 20
	MaxUser = 128 << 20 // all lines of one user
)

// MaxCharacters is the maximum number of characters of one user in a file. The
// characters of a user are read into memory together, where short lines take
// ten times their length.
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
	Secrets   bool      // whether the file contains passwords and provider keys
	// Users and Characters are the counts of the store when the export began.
	// They are for a progress bar. The counts of the file are in the footer.
	Users, Characters int64
}

// Totals are the counts of a file's contents.
type Totals struct {
	Users        int64
	Credentials  int64 // users with a user name
	Characters   int64
	Passwords    int64
	ProviderKeys int64
	Checksum     string // SHA-256 of all bytes before the footer, in hexadecimal
}
