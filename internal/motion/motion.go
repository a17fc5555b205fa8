// Package motion provides the data with which characters move: clips, rest
// poses, and the files from which a front end builds a character. The DLP3D web
// client downloads them. A [Library] keeps one generation of this data ready to
// send, and makes the next one when the data changes.
//
// The rules are those of the original's motion file API. Section numbers in
// comments, such as §2.1, refer to docs/motion-contract.md.
package motion

import (
	"context"
	"errors"
	"io"
)

// Database holds the records of clips.
type Database interface {
	// Fingerprint returns a text that differs after any change of the records.
	// It is cheap to call.
	Fingerprint(ctx context.Context) (string, error)
	// Read returns the records. All are from the same moment.
	Read(ctx context.Context) (Table, error)
}

// Table is the content of a [Database] at one moment.
type Table struct {
	// Version is the part of the clients' version that comes from the database.
	// The versions of the files are added later.
	Version string
	// Rows are the enabled records, each joined with the tables to which it
	// refers. If the join omits a record, its row has only the id.
	Rows []Row
}

// Row maps column names to values. If several columns have the same name, the
// last one is used. A value is nil, an int64, a float64 or a string.
type Row map[string]any

// ErrUnavailable is the error if a whole [FileSource] cannot be used, for example
// because the server does not respond or does not accept the key. It does not
// say anything about a single file, so no generation is made in this case.
var ErrUnavailable = errors.New("is not available")

// FileSource holds files: a folder or a bucket. A path cannot lead out of it.
type FileSource interface {
	// Open opens the file at a path. The caller must close it. Its content does
	// not change while it is open, unless another program overwrites it in
	// place.
	Open(ctx context.Context, path string) (File, error)
	// Fingerprint returns a text that differs after the file at path has
	// changed, as far as this can be detected without reading the file.
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
	Source FileSource
	Paths  map[string]string // by avatar
}

// Sources are all inputs of a generation.
type Sources struct {
	Database Database
	Clips    FileSource // for the paths in the records
	// ClipPaths maps record ids to paths that replace those of the records. It
	// is nil if the paths of the records are used.
	ClipPaths map[int32]string
	Static    [kinds]Files
}

// Kind is a kind of static file, or a rest pose. Static files are sent
// unchanged.
type Kind int

// The kinds.
const (
	Restposes Kind = iota // npz; not sent unchanged
	Meshes                // GLB
	Joints                // JSON, like the following ones
	Rigids
	Blendshapes

	kinds = 5
)

// names are the names of the kinds in messages.
var names = [kinds]string{"rest pose", "mesh", "joints meta", "rigids meta", "blendshapes meta"}

func (k Kind) String() string { return names[k] }

// optional reports whether a character can work without a file of this kind.
func (k Kind) optional() bool { return k == Joints || k == Rigids }
