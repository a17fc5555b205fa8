package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"web-backend/internal/backend"
)

// Reader reads an export. It holds one user in memory, and 16 bytes for each
// user id and user name that it has read.
type Reader struct {
	// CheckPassword, if set, returns an error for a stored password that must
	// not be imported. The error does not show any part of the password.
	CheckPassword func(stored backend.Secret) error

	in        *bufio.Reader
	buffer    []byte // the current line, if it does not fit into the buffer of in
	sum       hash.Hash
	number    int // number of the current line
	userBytes int
	header    Header
	totals    Totals
	known     map[[16]byte]struct{} // digests of user ids and names

	characterIDs map[string]struct{} // of the current user
	rests        backend.RestCache
}

// errCutOff is the error for a file without a footer.
var errCutOff = errors.New("the file is cut off: it ends without a footer")

// NewReader returns a Reader for r. It reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	e := &Reader{in: bufio.NewReaderSize(r, 1<<16), sum: sha256.New(), known: map[[16]byte]struct{}{},
		characterIDs: map[string]struct{}{}}
	if found := e.otherFormat(); found != "" {
		return nil, errors.New(found)
	}
	line, err := e.next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil && !errors.Is(err, errCutOff) {
		return nil, err
	}
	if bytes.HasSuffix(line, []byte("\r\n")) {
		return nil, errors.New("the lines of the file end with CR LF, want LF: another program changed it; " +
			"take the CRs out: tr -d '\\r' < FILE | web-backend import -")
	}
	tags, wrong := tagsOf(line)
	switch {
	case errors.Is(err, errCutOff) && bytes.HasPrefix(line, []byte("{")):
		return nil, errCutOff
	case wrong != nil || *tags.Kind != kindHeader || tags.Format != Format:
		return nil, fmt.Errorf("line 1: no header of a %s: this is no export, or a part of one", Format)
	case tags.Version > Version:
		return nil, fmt.Errorf("line 1: version %d is newer than version %d, which this program reads; "+
			"import with the program that exported, or a newer one", tags.Version, Version)
	case tags.Version != Version:
		return nil, fmt.Errorf("line 1: field \"version\": want %d", Version)
	case err != nil:
		return nil, err
	}
	return e, e.readHeader(line)
}

// readHeader processes the first line.
func (e *Reader) readHeader(line []byte) error {
	var l headerLine
	if err := decodeLine(line, &l, &l.Kind); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	if l.Users < 0 || l.Characters < 0 {
		return errors.New("line 1: a count is negative")
	}
	e.header = Header{l.CreatedAt, l.Secrets, l.Users, l.Characters}
	e.sum.Write(line)
	return nil
}

// otherFormat recognizes another known format by how the file begins. It
// returns a description, or "" if the format is unknown.
func (e *Reader) otherFormat() string {
	begin, _ := e.in.Peek(16) // an error will occur again at the next read
	for _, kind := range []struct{ begin, what string }{
		{"\x1f\x8b", "the file is compressed with gzip; unpack it first: zcat FILE | web-backend import -"},
		{"\x28\xb5\x2f\xfd", "the file is compressed with zstd; unpack it first: zstdcat FILE | web-backend import -"},
		{"\xfd7zXZ", "the file is compressed with xz; unpack it first: xzcat FILE | web-backend import -"},
		{"BZh", "the file is compressed with bzip2; unpack it first: bzcat FILE | web-backend import -"},
		{"PK\x03\x04", "the file is a zip archive; unpack it first"},
		{"SQLite format 3\x00", "the file is a database, not an export; put a backup in place with web-backend restore, " +
			"or copy the users of its data folder with web-backend copy --from FOLDER"},
		{"\xff\xfe", "the file is UTF-16, want UTF-8; export again with --out FILE, without the shell's redirection"},
		{"\xfe\xff", "the file is UTF-16, want UTF-8; export again with --out FILE, without the shell's redirection"},
		{"\xef\xbb\xbf", "the file begins with a byte order mark, which an export has not: another program changed it; export again"},
	} {
		if bytes.HasPrefix(begin, []byte(kind.begin)) {
			return kind.what
		}
	}
	return ""
}

// Header returns the header, which is the first line.
func (e *Reader) Header() Header { return e.header }

// Totals returns the counts of what Users has returned so far. After the end of
// Users, they are the totals of the file.
func (e *Reader) Totals() Totals { return e.totals }

// Users iterates over the users. It can be called only once. Only if it ends
// without an error is the file complete and its checksum right. Until then, the
// users may contain errors, so read the whole file before you use any of them.
// An error names line and field, but never a value.
func (e *Reader) Users() iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		var user *backend.UserData
		for {
			line, err := e.next()
			switch {
			case errors.Is(err, io.EOF):
				err = errCutOff
			case errors.Is(err, errCutOff) && isFooter(line):
				err = e.wrong(errors.New("the footer is there, but not the line end behind it: " +
					"the file was changed or is cut off; put a line end there (echo >> FILE), or export again"))
			}
			kind := ""
			if err == nil {
				kind, err = e.kind(line)
			}
			if err == nil && kind == kindCharacter {
				err = e.character(user, line)
			}
			if err != nil {
				yield(backend.UserData{}, err)
				return
			}
			if kind == kindCharacter {
				continue
			}
			if user != nil && !e.give(*user, yield) {
				return
			}
			if kind == kindFooter {
				if err := e.footer(line); err != nil {
					yield(backend.UserData{}, err)
				}
				return
			}
			if user, err = e.user(line); err != nil {
				yield(backend.UserData{}, err)
				return
			}
		}
	}
}

// isFooter reports whether a line without its line end is a complete footer.
func isFooter(line []byte) bool {
	var l footerLine
	return decodeLine(line, &l, &l.Kind) == nil && l.Kind == kindFooter
}

// give counts a complete user and yields it.
func (e *Reader) give(user backend.UserData, yield func(backend.UserData, error) bool) bool {
	e.totals.Users++
	e.totals.Characters += int64(len(user.Characters))
	if user.Credential != nil {
		e.totals.Credentials++
		if user.Credential.Password.IsSet() {
			e.totals.Passwords++
		}
	}
	if user.Config != nil {
		e.totals.ProviderKeys += int64(len(user.Config.Keys))
	}
	return yield(user, nil)
}

// kind returns the kind of a line. It also adds the line to the checksum and
// checks the size limits.
func (e *Reader) kind(line []byte) (string, error) {
	kind, err := kindOf(line)
	if err != nil {
		return "", e.wrong(err)
	}
	switch kind {
	case kindUser:
		e.userBytes = len(line)
	case kindCharacter:
		e.userBytes += len(line)
	case kindFooter:
		return kind, nil
	case kindHeader:
		return "", e.wrong(errors.New("a second header"))
	default:
		return "", e.wrong(fmt.Errorf("unknown kind %q; allowed are user, character and footer", shorten(kind)))
	}
	if e.userBytes > MaxUser {
		return "", e.wrong(fmt.Errorf("the lines of this user take more than %d bytes", MaxUser))
	}
	e.sum.Write(line)
	return kind, nil
}

func (e *Reader) user(line []byte) (*backend.UserData, error) {
	var l userLine
	if err := decodeLine(line, &l, &l.Kind); err != nil {
		return nil, e.wrong(err)
	}
	if l.UserID == nil || *l.UserID == "" {
		return nil, e.wrong(errors.New(`field "user_id" is missing or empty`))
	}
	if l.Username == nil && l.Config == nil {
		return nil, e.wrong(errors.New(`a user has the field "username", a "config", or both`))
	}
	if !e.first("i" + *l.UserID) {
		return nil, e.wrong(errors.New(`field "user_id": a user before has it`))
	}
	if l.Username != nil && !e.first("n"+backend.UsernameKey(*l.Username)) {
		return nil, e.wrong(errors.New(`field "username": a user before has it`))
	}
	clear(e.characterIDs)
	var user backend.UserData
	var err error
	if user.Credential, err = l.credential(e.header.Secrets); err != nil {
		return nil, e.wrong(err)
	}
	if user.Credential != nil && e.CheckPassword != nil {
		if err := e.CheckPassword(user.Credential.Password); err != nil {
			return nil, e.wrong(fmt.Errorf(`field "password": %w`, err))
		}
	}
	if user.Config, err = l.config(e.header.Secrets); err != nil {
		return nil, e.wrong(err)
	}
	return &user, nil
}

// first reports whether a name has not occurred before.
func (e *Reader) first(name string) bool {
	digest := sha256.Sum256([]byte(name))
	key := [16]byte(digest[:16])
	_, known := e.known[key]
	e.known[key] = struct{}{}
	return !known
}

// character adds the character in a line to its user.
func (e *Reader) character(user *backend.UserData, line []byte) error {
	l := characterLine{Character: backend.NewCharacter()}
	head, rest := splitLine(line)
	kept, found := e.rests.Find(rest)
	if !found {
		head = line
	}
	if err := decodeLine(head, &l, &l.Kind); err != nil {
		return e.wrong(err)
	}
	if found {
		kept.CharacterName, kept.CreateDatatime = l.CharacterName, l.CreateDatatime
		l.Character = kept
	}
	switch {
	case user == nil:
		return e.wrong(errors.New("a character before any user"))
	case l.UserID == nil || *l.UserID != user.UserID():
		return e.wrong(errors.New(`field "user_id" is not that of the user before`))
	case user.Config == nil:
		return e.wrong(errors.New(`a character of a user without a "config"`))
	case l.CharacterID == nil:
		return e.wrong(errors.New(`field "character_id" is missing`))
	}
	if len(user.Characters) == MaxCharacters {
		return e.wrong(fmt.Errorf("the user has more than %d characters", MaxCharacters))
	}
	if _, known := e.characterIDs[*l.CharacterID]; known {
		return e.wrong(errors.New(`field "character_id": a character of this user before has it`))
	}
	e.characterIDs[*l.CharacterID] = struct{}{}
	c := l.Character
	c.UserID, c.CharacterID = *l.UserID, *l.CharacterID
	if !found {
		e.rests.Keep(c)
	}
	user.Characters = append(user.Characters, c)
	return nil
}

// footer compares the last line with the data that was read, and checks that
// nothing follows.
func (e *Reader) footer(line []byte) error {
	var l footerLine
	if err := decodeLine(line, &l, &l.Kind); err != nil {
		return e.wrong(err)
	}
	e.totals.Checksum = hex.EncodeToString(e.sum.Sum(nil))
	switch {
	case l.SHA256 == nil:
		return e.wrong(errors.New(`field "sha256" is missing`))
	case l.Users != e.totals.Users:
		return e.wrong(fmt.Errorf(`field "users" is %d, and the file holds %d`, l.Users, e.totals.Users))
	case l.Characters != e.totals.Characters:
		return e.wrong(fmt.Errorf(`field "characters" is %d, and the file holds %d`, l.Characters, e.totals.Characters))
	case *l.SHA256 != e.totals.Checksum:
		return e.wrong(errors.New(`field "sha256" is not the checksum of the lines before: the file was changed or damaged`))
	}
	switch _, err := e.in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("after line %d: %w", e.number, err)
	}
	return fmt.Errorf("there is something after the footer in line %d", e.number)
}

// next returns the next line, including its line end. At the end of the data,
// the error is io.EOF. If the data ends within a line, next returns the partial
// line and errCutOff.
func (e *Reader) next() ([]byte, error) {
	e.number++
	e.buffer = e.buffer[:0]
	for {
		part, err := e.in.ReadSlice('\n')
		if err == nil && len(e.buffer) == 0 {
			return part, nil
		}
		e.buffer = append(e.buffer, part...)
		switch {
		case len(e.buffer) > MaxLine:
			return nil, e.wrong(fmt.Errorf("the line is longer than %d bytes", MaxLine))
		case err == nil:
			return e.buffer, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(e.buffer)) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return e.buffer, errCutOff
		}
		return nil, fmt.Errorf("line %d: %w", e.number, err)
	}
}

// wrong adds the line number to an error.
func (e *Reader) wrong(err error) error { return fmt.Errorf("line %d: %w", e.number, err) }
