package motion

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Fault describes data that is missing from a generation because it is not
// usable.
type Fault struct {
	Record int32  // id; 0 if the fault does not belong to a record
	Avatar string // "" if the avatar is unknown
	Text   string // what is wrong, and where
}

func (f Fault) String() string {
	switch {
	case f.Record != 0 && f.Avatar != "":
		return fmt.Sprintf("record %d of %q: %s", f.Record, f.Avatar, f.Text)
	case f.Record != 0:
		return fmt.Sprintf("record %d: %s", f.Record, f.Text)
	case f.Avatar != "":
		return fmt.Sprintf("avatar %q: %s", f.Avatar, f.Text)
	}
	return f.Text
}

// Generation is a snapshot of all motion files, ready to send. It does not
// change and is safe for concurrent use.
type Generation struct {
	version   string
	loaded    time.Time
	keywords  []string
	avatars   map[string][]*clip // ascending by id
	poses     map[string]*restpose
	responses map[string][]byte // of rest poses, by avatar
	static    [kinds]map[string]*staticFile
	faults    []Fault

	clips     FileSource
	floatType FloatType
	database  string // fingerprint of the database
	seen      map[location]string
}

// location is the source and path of a file that the generation has read or
// found missing.
type location struct {
	source FileSource
	path   string
}

// Options configure how a generation is made.
type Options struct {
	FloatType FloatType
	Strict    bool // any fault makes the load fail
	// LeaveOutAbsent means that it is not a fault if an avatar does not have any
	// file, or if an optional file is missing.
	LeaveOutAbsent bool
	Workers        int // number of clips that are prepared at once; 0 for half of the processors
}

// staticFile stays open as long as its generation is in use, so that it can
// still be read after the file is replaced. The garbage collector closes it
// together with the generation, as it does with every [os.File].
type staticFile struct {
	file File
	sum  [sha256.Size]byte
}

// Load makes a generation. It returns an error if the database or a source is
// not available. In strict mode, it also returns an error that lists all
// faults.
func Load(ctx context.Context, sources Sources, options Options) (*Generation, error) {
	g := &Generation{
		avatars: map[string][]*clip{}, poses: map[string]*restpose{}, responses: map[string][]byte{},
		clips: sources.Clips, floatType: options.FloatType, seen: map[location]string{},
	}
	whole := false
	defer func() {
		if !whole { // the garbage collector may run late, and the next try may come soon
			g.closeFiles()
		}
	}()
	var err error
	if g.database, err = sources.Database.Fingerprint(ctx); err != nil {
		return nil, err
	}
	table, err := sources.Database.Read(ctx)
	if err != nil {
		return nil, err
	}
	records := g.readRecords(table.Rows)
	g.keywords = keywordsOf(records)
	if err := g.openStatic(ctx, sources, options.LeaveOutAbsent); err != nil {
		return nil, err
	}
	if err := g.loadClips(ctx, records, sources.ClipPaths, options.Workers); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(g.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Record, b.Record), cmp.Compare(a.Avatar, b.Avatar), cmp.Compare(a.Text, b.Text))
	})
	if options.Strict && len(g.faults) > 0 {
		return nil, &FaultsError{Faults: g.faults}
	}
	g.version, g.loaded = table.Version+"-"+g.fileVersion(), time.Now()
	whole = true
	return g, nil
}

func (g *Generation) closeFiles() {
	for _, files := range g.static {
		for _, static := range files {
			_ = static.file.Close() // it was only read
		}
	}
}

// FaultsError is the error for a generation with faults in strict mode.
type FaultsError struct{ Faults []Fault }

func (e *FaultsError) Error() string {
	return fmt.Sprintf("%d faults, the first: %s", len(e.Faults), e.Faults[0])
}

// readRecords reads the first row of each id.
func (g *Generation) readRecords(rows []Row) []record {
	var records []record
	known := map[int32]bool{}
	for _, row := range rows {
		r, err := readRecord(row)
		if known[r.id] {
			continue
		}
		known[r.id] = true
		if err != nil {
			g.faults = append(g.faults, Fault{Record: r.id, Avatar: r.avatar, Text: err.Error()})
			continue
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.id, b.id) })
	return records
}

// openStatic opens the static files and reads the rest poses.
func (g *Generation) openStatic(ctx context.Context, sources Sources, leaveOutAbsent bool) error {
	missing := map[string][]Fault{}
	present := map[string]bool{}
	for k := range Kind(kinds) {
		files := sources.Static[k]
		g.static[k] = map[string]*staticFile{}
		for _, avatar := range slices.Sorted(maps.Keys(files.Paths)) {
			err := g.openOne(ctx, k, files.Source, avatar, files.Paths[avatar])
			switch fault := (Fault{Avatar: avatar, Text: fmt.Sprintf("%s %s: %s", k, files.Paths[avatar], reason(err))}); {
			case err == nil:
				present[avatar] = true
			case errors.Is(err, ErrUnavailable):
				return err
			case !leaveOutAbsent || !errors.Is(err, fs.ErrNotExist):
				present[avatar] = true
				g.faults = append(g.faults, fault)
			case !k.optional():
				missing[avatar] = append(missing[avatar], fault)
			}
		}
	}
	for avatar, faults := range missing {
		if present[avatar] {
			g.faults = append(g.faults, faults...)
		}
	}
	return nil
}

// reason returns an error without the path, because the message already
// contains the path.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no such file"
	}
	return fmt.Sprint(err)
}

func (g *Generation) openOne(ctx context.Context, kind Kind, source FileSource, avatar, path string) error {
	g.see(ctx, source, path)
	if kind == Restposes {
		pose, err := readRestpose(ctx, source, path)
		if err != nil {
			return err
		}
		g.poses[avatar] = pose
		g.responses[avatar], err = marshal(pose.message(avatar))
		return err
	}
	file, err := source.Open(ctx, path)
	if err != nil {
		return err
	}
	s := &staticFile{file: file}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(file, 0, file.Size())); err != nil {
		_ = file.Close()
		return err
	}
	h.Sum(s.sum[:0])
	g.static[kind][avatar] = s
	return nil
}

// see records the state of a file before it is read, so that any later change
// is noticed.
func (g *Generation) see(ctx context.Context, source FileSource, path string) {
	g.seen[location{source, path}], _ = look(ctx, source, path) // an error here also occurs when the file is read
}

// look returns the fingerprint of a file, or a value for a missing file. It
// returns an error only if the source is not available.
func look(ctx context.Context, source FileSource, path string) (string, error) {
	fingerprint, err := source.Fingerprint(ctx, path)
	if errors.Is(err, ErrUnavailable) {
		return "", err
	}
	return cmp.Or(fingerprint, "absent"), nil
}

// loadClips prepares the clips of all records with states.
func (g *Generation) loadClips(ctx context.Context, records []record, paths map[int32]string, workers int) error {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, r := range records {
		if !r.served {
			continue
		}
		if paths != nil {
			r.npz = paths[r.id]
		}
		group.Go(func() error {
			fingerprint, err := look(ctx, g.clips, r.npz)
			if err != nil {
				return err
			}
			c, err := g.loadClip(ctx, r)
			if errors.Is(err, ErrUnavailable) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			g.seen[location{g.clips, r.npz}] = fingerprint
			if err != nil {
				g.faults = append(g.faults, Fault{Record: r.id, Avatar: r.avatar, Text: fmt.Sprintf("%s: %s", shorten(r.npz), reason(err))})
				return ctx.Err()
			}
			g.avatars[r.avatar] = append(g.avatars[r.avatar], c)
			return nil
		})
	}
	err := group.Wait()
	for _, clips := range g.avatars {
		slices.SortFunc(clips, func(a, b *clip) int { return cmp.Compare(a.record.id, b.record.id) })
	}
	return err
}

func (g *Generation) loadClip(ctx context.Context, r record) (*clip, error) {
	switch {
	case r.npz == "":
		return nil, errors.New("the record names no file")
	case r.avatar == "":
		return nil, errors.New("the record belongs to no avatar")
	}
	file, err := readClip(ctx, g.clips, r.npz, g.floatType)
	if err != nil {
		return nil, err
	}
	pose := g.poses[file.restpose]
	if pose == nil {
		return nil, fmt.Errorf("restpose_name: there is no rest pose %q", shorten(file.restpose))
	}
	c, err := newClip(r, file, pose)
	if err != nil {
		return nil, err
	}
	c.messages[Babylon], err = c.encode(file, pose)
	return c, err
}

// message returns a clip in the form for app. The form for the web client is
// already prepared. The other form is made from the same file at its first
// request.
func (g *Generation) message(ctx context.Context, c *clip, app App) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.messages[app] != nil {
		return c.messages[app], nil
	}
	file, err := readClip(ctx, g.clips, c.record.npz, g.floatType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.record.npz, err)
	}
	if file.sum != c.sum {
		return nil, ErrChanged
	}
	message, err := c.encode(file, nil)
	if err != nil {
		return nil, err
	}
	c.messages[app] = message
	return message, nil
}

// fileVersion returns a version that depends on all data that clients receive.
func (g *Generation) fileVersion() string {
	h := sha256.New()
	fmt.Fprintln(h, g.floatType)
	for _, avatar := range slices.Sorted(maps.Keys(g.responses)) {
		hashPart(h, avatar, g.responses[avatar])
	}
	for _, files := range g.static {
		for _, avatar := range slices.Sorted(maps.Keys(files)) {
			hashPart(h, avatar, files[avatar].sum[:])
		}
	}
	for _, avatar := range slices.Sorted(maps.Keys(g.avatars)) {
		for _, c := range g.avatars[avatar] {
			hashPart(h, avatar, c.messages[Babylon])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func hashPart(h hash.Hash, name string, content []byte) {
	fmt.Fprintf(h, "%q %d\n", name, len(content))
	h.Write(content)
}

// changed reports whether any source of the generation has changed. It returns
// an error if the database or a source is not available.
func (g *Generation) changed(ctx context.Context, database Database) (bool, error) {
	fingerprint, err := database.Fingerprint(ctx)
	if err != nil || fingerprint != g.database {
		return err == nil, err
	}
	for at, before := range g.seen {
		now, err := look(ctx, at.source, at.path)
		if err != nil || now != before {
			return err == nil && ctx.Err() == nil, cmp.Or(err, ctx.Err())
		}
	}
	return false, nil
}

// Version returns the version. It changes only if the data that clients receive
// changes.
func (g *Generation) Version() string { return g.version }

// Loaded returns when the generation was complete.
func (g *Generation) Loaded() time.Time { return g.loaded }

// Keywords returns the keywords of all motions, sorted.
func (g *Generation) Keywords() []string { return g.keywords }

// Faults returns the faults of the generation, ordered by record and avatar.
func (g *Generation) Faults() []Fault { return g.faults }

// bytesFile is a file in memory.
type bytesFile struct{ *bytes.Reader }

func newBytesFile(content []byte) bytesFile { return bytesFile{bytes.NewReader(content)} }
func (bytesFile) Close() error              { return nil }
