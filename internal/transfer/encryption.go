package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"

	"web-backend/internal/backend"
)

// maxWorkFactor is the limit for the work factor of a file that is encrypted
// with a passphrase. scrypt with N=2^20 takes 1 GiB of memory. age itself
// writes 2^18, which takes 256 MiB.
const maxWorkFactor = 20

// Recipients parses the recipients of an encrypted export. Each is an age1…
// public key.
func Recipients(keys []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for _, key := range keys {
		parsed, err := age.ParseRecipients(strings.NewReader(strings.TrimSpace(key)))
		if err != nil || len(parsed) != 1 {
			// The error does not show the key, because it may be the secret key
			// given by mistake.
			return nil, errors.New("a recipient is not an age public key; want age1… as age-keygen prints it")
		}
		recipients = append(recipients, parsed[0])
	}
	return recipients, nil
}

// minPassphrase is the minimum length of a new passphrase in characters. The
// limit is necessary because anyone who has the file can try any number of
// passphrases. It does not apply when a file is opened.
const minPassphrase = 12

// PassphraseRecipient returns the recipient for a new passphrase of at least 12
// characters. age does not allow it together with other recipients.
func PassphraseRecipient(passphrase backend.Secret) (age.Recipient, error) {
	if length := utf8.RuneCountInString(passphrase.Reveal()); length < minPassphrase {
		return nil, fmt.Errorf("the passphrase is too short: it has %d of at least %d characters; "+
			"an empty answer at a terminal generates one", length, minPassphrase)
	}
	return age.NewScryptRecipient(passphrase.Reveal())
}

// Encrypt returns a writer that encrypts to w. Its Close method completes the
// encrypted data and does not close w.
func Encrypt(w io.Writer, recipients []age.Recipient) (io.WriteCloser, error) {
	return age.Encrypt(w, recipients...)
}

// Identities parses an age identity file. An error does not show any part of
// the file.
func Identities(r io.Reader) ([]age.Identity, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	if isEncrypted(data) {
		return nil, errors.New("the identity file is encrypted itself; decrypt it with age first")
	}
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("the file holds no age identity; want lines AGE-SECRET-KEY-1… as age-keygen writes them")
	}
	return identities, nil
}

// Keys are the keys that can open an encrypted export.
type Keys struct {
	Identities []age.Identity
	// Passphrase returns the passphrase. It is called once, and only if a file
	// is encrypted with a passphrase. It may be nil.
	Passphrase func() (backend.Secret, error)

	opened openedKey
}

// openedKey holds the key of the last file that a passphrase opened. This saves
// time, because scrypt is slow by design and an export is read twice.
type openedKey struct {
	body, key []byte
}

// Errors of Open that callers distinguish.
var (
	ErrNoPassphrase    = errors.New("the export is encrypted with a passphrase, and none is given")
	ErrWrongPassphrase = errors.New("the passphrase is not the one that the export was encrypted with")
	ErrNoIdentity      = errors.New("the export is encrypted for recipients, and no identity is given that opens it")
)

// Open returns a reader of the lines in r. It decrypts r if r begins like an
// age file, either binary or with ASCII armor.
func Open(r io.Reader, keys *Keys) (lines io.Reader, encrypted bool, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	begin, err := in.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if !isEncrypted(begin) {
		return in, false, nil
	}
	var file io.Reader = in
	if isArmored(begin) {
		file = armor.NewReader(&shortLines{in: in})
	}
	lines, err = age.Decrypt(file, append(slices.Clone(keys.Identities), keys)...)
	var nobody *age.NoIdentityMatchError
	switch {
	case err == nil:
		return decrypted{lines}, true, nil
	case errors.Is(err, ErrNoPassphrase), errors.Is(err, ErrWrongPassphrase), errors.Is(err, errAsking):
		return nil, true, err
	case errors.As(err, &nobody):
		return nil, true, ErrNoIdentity
	}
	return nil, true, fmt.Errorf("the encrypted export cannot be opened: %w", err)
}

// maxArmorLine is greater than the length of any valid armor line, in bytes
// (RFC 7468: 64 columns).
const maxArmorLine = 1 << 10

// shortLines rejects longer lines, because the armor reader holds a whole line
// in memory, whatever its length.
type shortLines struct {
	in     io.Reader
	length int // length of the current line so far
}

// Read implements [io.Reader].
func (s *shortLines) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	for _, b := range p[:n] {
		if s.length++; b == '\n' {
			s.length = 0
		}
		if s.length > maxArmorLine {
			return 0, fmt.Errorf("a line of the armor is longer than %d bytes", maxArmorLine)
		}
	}
	return n, err
}

// decrypted adds to its errors that the encrypted file is cut off or damaged.
type decrypted struct{ io.Reader }

// Read implements [io.Reader].
func (d decrypted) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the encrypted file is cut off or damaged: %w", err)
	}
	return n, err
}

const armorBegin = "-----BEGIN AGE ENCRYPTED FILE-----"

func isArmored(begin []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(begin, "\r\n"), []byte(armorBegin))
}

func isEncrypted(begin []byte) bool {
	return bytes.HasPrefix(begin, []byte("age-encryption.org/")) || isArmored(begin)
}

// errAsking wraps an error from asking for the passphrase.
var errAsking = errors.New("the passphrase cannot be read")

// Unwrap implements [age.Identity] for the passphrase.
func (k *Keys) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, age.ErrIncorrectIdentity
	}
	if k.opened.key != nil && bytes.Equal(k.opened.body, stanzas[0].Body) {
		return bytes.Clone(k.opened.key), nil
	}
	if k.Passphrase == nil {
		return nil, ErrNoPassphrase
	}
	passphrase, err := k.Passphrase()
	if err != nil {
		return nil, errors.Join(errAsking, err)
	}
	key, err := unwrap(stanzas, passphrase)
	if err == nil {
		k.opened = openedKey{bytes.Clone(stanzas[0].Body), bytes.Clone(key)}
	}
	return key, err
}

// unwrap tries the passphrase without the byte order mark that some editors
// write, and then with it, because older versions took the mark of a passphrase
// file for a part of the passphrase.
func unwrap(stanzas []*age.Stanza, passphrase backend.Secret) (key []byte, err error) {
	const mark = "\ufeff"
	bare := strings.TrimPrefix(passphrase.Reveal(), mark)
	if bare == "" {
		return nil, ErrNoPassphrase
	}
	for _, text := range []string{bare, mark + bare} {
		identity, err := age.NewScryptIdentity(text)
		if err != nil {
			return nil, ErrNoPassphrase
		}
		identity.SetMaxWorkFactor(maxWorkFactor)
		if key, err = identity.Unwrap(stanzas); !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	return nil, ErrWrongPassphrase
}
