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

// addressFile is beside the lock and not in it: on Windows others cannot read
// a file that is locked.
const addressFile = "server.address"

// maxAddress bounds what is read of the file, in bytes.
const maxAddress = 4096

// ErrNoAddress is the error of [Announced] when the owner of the folder serves
// at no address: another command, or a server that starts or stops.
var ErrNoAddress = errors.New("it is in use by another command, or by a server that is starting or stopping; " +
	"wait until that has ended, and try again")

// lockFolder makes a process the owner of folder dir until the lock is closed.
// What a former owner announced, and could not take back, is gone then.
func lockFolder(dir string) (*flock.Flock, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	if err := fileowner.Touch(filepath.Join(dir, lockFile), 0o600); err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written: %w", dir, err)
	}
	// It is there now, so the lock makes none: not where a link in its place leads.
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

// checkFolder refuses a data folder in which everybody may put files.
func checkFolder(dir string) error {
	if err := secretfile.CheckFolder(dir); err != nil {
		return fmt.Errorf("data folder %w", err)
	}
	return nil
}

// Announce leaves in the data folder, for commands, the URL at which the owner
// of the store can be asked. It lasts until Close or the next owner. Only the
// owner of the file may read it.
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
		_, err = file.WriteString(url + "\n") // whoever reads half of it misses the end
	}
	return errors.Join(err, file.Close())
}

// Announced gives the URL that the owner of folder dir announced. It is to be
// believed only while another process owns the folder, and not checked. The
// error is ErrNoAddress if there is none.
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
		return "", fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoAddress // taken back meanwhile
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
		return "", fmt.Errorf("%s holds no whole address", path)
	}
	return url, nil
}

// forgetAddress takes back what was announced. Only the owner may.
func forgetAddress(dir string) error {
	err := os.Remove(filepath.Join(dir, addressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
