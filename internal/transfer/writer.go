package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"web-backend/internal/backend"
)

// Writer writes an export line by line.
type Writer struct {
	out       *bufio.Writer
	sum       hash.Hash
	secrets   bool
	userBytes int
	totals    Totals
}

// NewWriter returns a Writer and writes the header to w.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	e := &Writer{out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New(), secrets: header.Secrets}
	return e, e.line(headerLine{
		Kind: kindHeader, Format: Format, Version: Version, CreatedAt: header.CreatedAt.UTC().Truncate(time.Second),
		Secrets: header.Secrets, Users: header.Users, Characters: header.Characters,
	})
}

// Write writes a user with its characters. It omits passwords and provider keys
// unless the header says that the file contains secrets.
func (e *Writer) Write(user backend.UserData) error {
	id := user.UserID()
	e.userBytes = 0
	line := userLine{Kind: kindUser, UserID: &id}
	if c := user.Credential; c != nil {
		line.Username, line.Disabled = &c.Username, c.Disabled
		if e.secrets {
			password := c.Password.Reveal()
			line.Password = &password
		}
		e.totals.Credentials++
		if c.Password.IsSet() && e.secrets {
			e.totals.Passwords++
		}
	}
	if user.Config != nil {
		line.Config = configLine{"timezone": &user.Config.Timezone}
		for name, key := range user.Config.Keys {
			if e.secrets && key.IsSet() {
				text := key.Reveal()
				line.Config[name] = &text
				e.totals.ProviderKeys++
			}
		}
	}
	if err := e.line(line); err != nil {
		return fmt.Errorf("user %q: %w", shorten(id), err)
	}
	if len(user.Characters) > MaxCharacters {
		return fmt.Errorf("user %q has %d characters, an export holds %d of one user", shorten(id), len(user.Characters), MaxCharacters)
	}
	for i := range user.Characters {
		c := &user.Characters[i]
		if err := e.line(characterLine{kindCharacter, &c.UserID, &c.CharacterID, *c}); err != nil {
			return fmt.Errorf("character %q of user %q: %w", shorten(c.CharacterID), shorten(id), err)
		}
	}
	e.totals.Users++
	e.totals.Characters += int64(len(user.Characters))
	return nil
}

// Close writes the footer. If it returns nil, the file is complete. It does not
// close w.
func (e *Writer) Close() (Totals, error) {
	checksum := hex.EncodeToString(e.sum.Sum(nil))
	e.userBytes = 0
	err := e.line(footerLine{kindFooter, e.totals.Users, e.totals.Characters, &checksum})
	if err == nil {
		err = e.out.Flush()
	}
	e.totals.Checksum = checksum
	return e.totals, err
}

func (e *Writer) line(value any) error {
	line, err := encodeLine(value)
	if err != nil {
		return err
	}
	e.userBytes += len(line)
	switch {
	case len(line) > MaxLine:
		return fmt.Errorf("takes %d bytes, a line of an export holds %d", len(line), MaxLine)
	case e.userBytes > MaxUser:
		return fmt.Errorf("the characters before and this one take more than %d bytes", MaxUser)
	}
	e.sum.Write(line)
	_, err = e.out.Write(line)
	return err
}

// WriteUser writes an export of one user without secrets. The error is NotFound
// if the archive has nothing of the user.
func WriteUser(ctx context.Context, w io.Writer, archive backend.Archive, userID string) error {
	found, err := archive.UserData(ctx, []string{userID})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return backend.UserNotFound(userID)
	}
	header := Header{CreatedAt: time.Now(), Users: 1, Characters: int64(len(found[0].Characters))}
	_, err = Write(w, header, func(yield func(backend.UserData, error) bool) { yield(found[0], nil) }, nil)
	return err
}

// Write writes a whole export. After each user it calls progress, if that is
// not nil, with the totals so far.
func Write(w io.Writer, header Header, users iter.Seq2[backend.UserData, error], progress func(Totals)) (Totals, error) {
	e, err := NewWriter(w, header)
	if err != nil {
		return Totals{}, err
	}
	for user, err := range users {
		if err == nil {
			err = e.Write(user)
		}
		if err != nil {
			return e.totals, err
		}
		if progress != nil {
			progress(e.totals)
		}
	}
	return e.Close()
}
