// Package store opens the store that the configuration chooses, and says what
// each kind of store can do. The packages below it are the stores.
package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store/sqlite"
)

// A kind is a kind of store, and everything in which kinds differ outside of
// [backend.Store]. A new kind has to say all of it before the program compiles.
type kind interface {
	// open opens the store ready to serve, and makes what is missing of it.
	open(ctx context.Context, cfg *config.Config, log *slog.Logger) (Opened, error)
	// read opens the store for reading, beside a server that may be running. It
	// changes nothing. Provider keys open with keys, if the kind seals them.
	read(ctx context.Context, cfg *config.Config, keys sqlite.KeySource) (backend.Store, error)
	// exists reports whether there may be something to read.
	exists(cfg *config.Config) bool
	// bootstrap runs the start-up steps of the store alone.
	bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error
	// check returns what would keep open from working, as far as this can be told
	// without other servers. It changes nothing.
	check(cfg *config.Config) []error
	// describe names the store of cfg for a person, without what is secret.
	describe(cfg *config.Config) string
	// same reports whether a and b name one store, as far as names tell.
	same(a, b *config.Config) bool
	// inDataFolder reports whether the store is in the data folder, where the
	// server then also keeps what is made for it, as the operator token.
	inDataFolder() bool
	// canBackUp is nil if package sqlite makes its backups; otherwise it says what
	// to use in their place.
	canBackUp() error
	// sealsKeys is nil if package sqlite seals its provider keys with a master
	// key; otherwise it says why there is nothing to examine or rotate.
	sealsKeys() error
}

// kinds are the kinds of stores by their names in the configuration.
var kinds = map[string]kind{
	config.StoreEmbedded: embedded{},
	config.StoreMongoDB:  mongoDB{},
}

// kindOf returns the kind of store that the configuration chooses.
func kindOf(cfg *config.Config) (kind, error) {
	if k, ok := kinds[cfg.Store]; ok {
		return k, nil
	}
	return nil, fmt.Errorf("store: there is no kind %q; want one of %s", cfg.Store, strings.Join(config.Stores, ", "))
}

// Opened is a store with what is to be said of it.
type Opened struct {
	backend.Store

	System  string // of the database, for metrics and traces
	Place   string // for a person: which one it is and where
	Unready string // why a server with it is not well; "" if it is
}

// Open opens the store that the configuration chooses, ready to serve.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (Opened, error) {
	k, err := kindOf(cfg)
	if err != nil {
		return Opened{}, err
	}
	return k.open(ctx, cfg, log)
}

// OpenReadOnly opens the store for reading, beside a server that may be
// running. It makes and changes nothing. Provider keys open with the keys that
// a server would use; without them they count as not set.
func OpenReadOnly(ctx context.Context, cfg *config.Config) (backend.Store, error) {
	return read(ctx, cfg, serverKeys(cfg))
}

// OpenSource is OpenReadOnly for moving what is in the store: provider keys open
// with every master key that there is for it.
func OpenSource(ctx context.Context, cfg *config.Config) (backend.Store, error) {
	return read(ctx, cfg, allKeys(cfg))
}

func read(ctx context.Context, cfg *config.Config, keys sqlite.KeySource) (backend.Store, error) {
	k, err := kindOf(cfg)
	if err != nil {
		return nil, err
	}
	return k.read(ctx, cfg, keys)
}

// Exists reports whether there may be something to read in the store. An error
// is one of its kind.
func Exists(cfg *config.Config) (bool, error) {
	k, err := kindOf(cfg)
	return err == nil && k.exists(cfg), err
}

// Bootstrap runs the start-up steps of the store alone and says on console what
// it found and did. With check it changes nothing. A store that has none is an
// error.
func Bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.bootstrap(ctx, cfg, check, console)
}

// Check returns what would keep Open from working, as far as this can be told
// without other servers, each with the setting that it is about. It makes and
// changes nothing.
func Check(cfg *config.Config) []error {
	k, err := kindOf(cfg)
	if err != nil {
		return []error{err}
	}
	return k.check(cfg)
}

// Describe names the store for a person, without what is secret.
func Describe(cfg *config.Config) (string, error) {
	k, err := kindOf(cfg)
	if err != nil {
		return "", err
	}
	return k.describe(cfg), nil
}

// Same reports whether two configurations choose one store, as far as names
// tell.
func Same(a, b *config.Config) bool {
	k, err := kindOf(a)
	return err == nil && a.Store == b.Store && k.same(a, b)
}

// InDataFolder reports whether the store is in the data folder, where the
// server then also keeps what is made for it, as the operator token.
func InDataFolder(cfg *config.Config) bool {
	k, err := kindOf(cfg)
	return err == nil && k.inDataFolder()
}

// CanBackUp is nil if package sqlite makes backups of the store; otherwise the
// error says what to use in their place.
func CanBackUp(cfg *config.Config) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.canBackUp()
}

// SealsKeys is nil if package sqlite seals provider keys with a master key;
// otherwise the error says why there is nothing to examine or rotate.
func SealsKeys(cfg *config.Config) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.sealsKeys()
}
