package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"web-backend/internal/fileowner"
	"web-backend/internal/secretfile"
)

// addressFile is a separate file beside the lock file, because on Windows other
// processes cannot read a locked file.
const addressFile = "server.address"

// maxAddress is the most that is read of the file, in bytes.
const maxAddress = 4096

// ErrNoAddress is the error of [Announced] if the owner of the folder has no
// address: it is another command, or a server that is starting or stopping.
var ErrNoAddress = errors.New("it is in use by another command, or by a server that is starting or stopping; " +
	"wait until that has ended, and try again")

// lockFolder makes this process the owner of folder dir until the lock is
// closed. It removes an address that a former owner announced and did not
// remove.
func lockFolder(dir string) (*flock.Flock, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	if err := fileowner.Touch(filepath.Join(dir, lockFile), 0o600); err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written: %w", dir, err)
	}
	// The file exists now. So open it without O_CREATE: if its name has become
	// a link, the lock must not create a file where the link leads.
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_RDONLY))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("data folder %s %w", dir, ErrInUse)
	}
	if err := forgetAddress(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s cannot be written: %w", dir, err), lock.Close())
	}
	return lock, nil
}

// checkFolder returns an error for a data folder in which every user may create
// files.
func checkFolder(dir string) error {
	if err := secretfile.CheckFolder(dir); err != nil {
		return fmt.Errorf("data folder %w", err)
	}
	return nil
}

// Announce writes to the data folder the URL at which commands can reach the
// owner of the store. The URL stays there until Close or the next owner. Only
// the owner of the file may read it.
func (s *Store) Announce(url string) error {
	path := filepath.Join(filepath.Dir(s.path), addressFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = fileowner.TakeOwner(file, filepath.Dir(path)); err == nil {
		_, err = file.WriteString(url + "\n") // without the newline, a reader knows that it read only a part
	}
	return errors.Join(err, file.Close())
}

// Announced returns the URL that the owner of folder dir announced. It does not
// check the URL. The URL is valid only while another process owns the folder.
// The error is ErrNoAddress if there is no URL.
func Announced(dir string) (string, error) {
	if err := checkFolder(dir); err != nil {
		return "", err
	}
	path := filepath.Join(dir, addressFile)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoAddress
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", path)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoAddress // removed in the meantime
	}
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(file, maxAddress))
	if err != nil {
		return "", err
	}
	url, isWhole := strings.CutSuffix(string(data), "\n")
	if !isWhole {
		return "", fmt.Errorf("%s does not contain a complete address", path)
	}
	return url, nil
}

// forgetAddress removes the announced address. Only the owner of the folder may
// call it.
func forgetAddress(dir string) error {
	err := os.Remove(filepath.Join(dir, addressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
