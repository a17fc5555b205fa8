// Package motion holds what characters move by: clips, rest poses and the files
// that a front end builds a character from, as the DLP3D web client downloads
// them. A [Library] keeps one generation of them ready to be sent, and makes the
// next one when the data changes.
//
// The rules are those of the original's motion file API. A section that a
// comment names, such as §2.1, is a section of docs/motion-contract.md.
package motion

import (
	"context"
	"errors"
	"io"
)

// Database is where the records of clips are kept.
type Database interface {
	// Fingerprint gives a text that is another one after any change of the
	// records. It is cheap.
	Fingerprint(ctx context.Context) (string, error)
	// Read gives the records of one moment.
	Read(ctx context.Context) (Table, error)
}

// Table is what a [Database] held at one moment.
type Table struct {
	// Version is what clients compare, before the files are counted in.
	Version string
	// Rows are the enabled records, each joined with the tables that it points
	// to. A record that the join leaves out has its id alone.
	Rows []Row
}

// Row is one row by the names of its columns; of several columns with one name
// the last counts. A value is nil, an int64, a float64, or a string.
type Row map[string]any

// ErrUnavailable is an error of a whole [Place], such as that nobody answers or
// that the key is not accepted. It says nothing of a file, so no generation is
// made of it.
var ErrUnavailable = errors.New("is not available")

// Place is where files are kept: a folder or a bucket. A path cannot lead out
// of it.
type Place interface {
	// Open gives the file at a path, which the caller closes. Its content does
	// not change while it is open, unless somebody writes into it in place.
	Open(ctx context.Context, path string) (File, error)
	// Fingerprint gives a text that is another one after the file at path
	// changed, as far as that can be told without reading it.
	Fingerprint(ctx context.Context, path string) (string, error)
}

// File is an opened file. It is safe for concurrent use.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
}

// Files are the files of one kind.
type Files struct {
	Place Place
	Paths map[string]string // by avatar
}

// Sources are all that a generation is made of.
type Sources struct {
	Database Database
	Clips    Place // the paths are those of the records
	// ClipPaths gives the paths by record id, in place of the records'; nil for
	// none.
	ClipPaths map[int32]string
	Static    [kinds]Files
}

// Kind is a kind of file that is sent as it is, or a rest pose.
type Kind int

// The kinds.
const (
	Restposes Kind = iota // npz, which is not sent as it is
	Meshes                // GLB
	Joints                // JSON, as the next ones
	Rigids
	Blendshapes

	kinds = 5
)

// names are for messages.
var names = [kinds]string{"rest pose", "mesh", "joints meta", "rigids meta", "blendshapes meta"}

func (k Kind) String() string { return names[k] }

// optional kinds are those that a character can do without.
func (k Kind) optional() bool { return k == Joints || k == Rigids }
