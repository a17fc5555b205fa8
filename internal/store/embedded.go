package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// embedded is the store in the data folder.
type embedded struct{}

func (embedded) open(_ context.Context, cfg *config.Config, log *slog.Logger) (opened Opened, err error) {
	store, err := sqlite.OpenLogging(cfg.DataDir, masterKeys(cfg, log, &opened.Unready), log)
	if err != nil {
		return Opened{}, err
	}
	store.KeepRecent(int64(cfg.CacheMB) << 20)
	path := store.Path()
	if full, err := filepath.Abs(path); err == nil { // a relative path means little elsewhere
		path = full
	}
	opened.Store, opened.System, opened.Description, opened.Location = store, "sqlite", "embedded, in "+path, path
	return opened, nil
}

func (embedded) read(_ context.Context, cfg *config.Config, keys sqlite.KeySource) (backend.Store, error) {
	store, err := sqlite.OpenReadOnly(cfg.DataDir, keys)
	if err != nil {
		return nil, err // not a nil *sqlite.Store in an interface
	}
	return store, nil
}

func (embedded) exists(cfg *config.Config) bool { return sqlite.Exists(cfg.DataDir) }

func (embedded) bootstrap(context.Context, *config.Config, bool, io.Writer) error {
	return errors.New("there is nothing to set up: the store is embedded; " +
		"set store, mongodb_host or mongodb_uri to choose MongoDB")
}

func (embedded) check(cfg *config.Config) (faults []error) {
	if err := sqlite.CheckFolder(cfg.DataDir); err != nil {
		faults = append(faults, fmt.Errorf("data_dir: %w", err))
	}
	found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
	if err = errors.Join(err, found.Fault); err != nil {
		faults = append(faults, fmt.Errorf("master key: %w", err))
	}
	return faults
}

func (embedded) describe(cfg *config.Config) string { return "data folder " + cfg.DataDir }

func (embedded) same(a, b *config.Config) bool { return folderOf(a.DataDir) == folderOf(b.DataDir) }

func (embedded) inDataFolder() bool { return true }

func (embedded) canBackUp() error { return nil }

func (embedded) sealsKeys() error { return nil }

// ownFiles are the prefixes of the names of the server's files in a data
// folder.
var ownFiles = []string{sqlite.FilePrefix, masterkey.FileName, auth.OperatorTokenFile}

// NotOwn returns an error if path is the path of a file that the server has, or
// may create, in its data folder. Writing to such a path would destroy the
// database or its key.
func NotOwn(cfg *config.Config, path string) error {
	if folderOf(filepath.Dir(path)) != folderOf(cfg.DataDir) {
		return nil
	}
	name := strings.ToLower(filepath.Base(path)) // some file systems ignore case
	for _, own := range ownFiles {
		if strings.HasPrefix(name, own) {
			return fmt.Errorf("%s is the name of a file of the server; choose one that does not begin with %s", path, own)
		}
	}
	return nil
}

// folderOf returns the canonical path of a folder, which may not exist yet.
func folderOf(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(folderOf(parent), filepath.Base(path))
	}
	return path
}
