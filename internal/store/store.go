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

// A kind is a kind of store. It covers all differences between kinds that
// [backend.Store] does not cover. A new kind must implement every method, or
// the program does not compile.
type kind interface {
	// open opens the store ready to serve, and creates what is missing in it.
	open(ctx context.Context, cfg *config.Config, log *slog.Logger) (Opened, error)
	// read opens the store for reading. A server may be running at the same
	// time. It changes nothing. If the kind seals provider keys, keys opens
	// them.
	read(ctx context.Context, cfg *config.Config, keys sqlite.KeySource) (backend.Store, error)
	// exists reports whether there may be something to read.
	exists(cfg *config.Config) bool
	// bootstrap runs the start-up steps of the store alone.
	bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error
	// check returns the reasons why open would fail, as far as it can tell
	// without contacting other servers. It changes nothing.
	check(cfg *config.Config) []error
	// describe names the store of cfg for a person. The text holds no secret.
	describe(cfg *config.Config) string
	// same reports whether a and b name the same store, as far as names can
	// tell.
	same(a, b *config.Config) bool
	// inDataFolder reports whether the store is in the data folder. The server
	// then also keeps files that belong to the store there, such as the
	// operator token.
	inDataFolder() bool
	// canBackUp returns nil if package sqlite makes the backups of this kind.
	// Otherwise the error says what to use instead.
	canBackUp() error
	// sealsKeys returns nil if package sqlite seals the provider keys of this
	// kind with a master key. Otherwise the error says why there is nothing to
	// examine or rotate.
	sealsKeys() error
}

// kinds maps the names in the configuration to the kinds of stores.
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

// Opened is an open store and its description.
type Opened struct {
	backend.Store

	System      string // of the database, for metrics and traces
	Description string // for a person: kind and location
	Location    string // the file, or the hosts and the database
	Unready     string // why a server with this store is not healthy; "" if it is
}

// Open opens the store that the configuration chooses, ready to serve.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (Opened, error) {
	k, err := kindOf(cfg)
	if err != nil {
		return Opened{}, err
	}
	return k.open(ctx, cfg, log)
}

// OpenReadOnly opens the store for reading. A server may be running at the same
// time. It creates and changes nothing. Provider keys are opened with the keys
// that a server would use; without those keys they count as not set.
func OpenReadOnly(ctx context.Context, cfg *config.Config) (backend.Store, error) {
	return read(ctx, cfg, serverKeys(cfg))
}

// OpenSource is like OpenReadOnly, but is meant for moving the content of the
// store: it opens provider keys with every master key that exists for the
// store.
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

// Exists reports whether there may be something to read in the store. It
// returns an error if the kind of the store is not valid.
func Exists(cfg *config.Config) (bool, error) {
	k, err := kindOf(cfg)
	return err == nil && k.exists(cfg), err
}

// Bootstrap runs only the start-up steps of the store, and writes to console
// what it found and did. If check is set, it changes nothing. It returns an
// error if the store has no such steps.
func Bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.bootstrap(ctx, cfg, check, console)
}

// Check returns the reasons why Open would fail, as far as it can tell without
// contacting other servers. Each error names its setting. Check creates and
// changes nothing.
func Check(cfg *config.Config) []error {
	k, err := kindOf(cfg)
	if err != nil {
		return []error{err}
	}
	return k.check(cfg)
}

// Describe names the store for a person. The text holds no secret.
func Describe(cfg *config.Config) (string, error) {
	k, err := kindOf(cfg)
	if err != nil {
		return "", err
	}
	return k.describe(cfg), nil
}

// Same reports whether two configurations choose the same store, as far as
// names can tell.
func Same(a, b *config.Config) bool {
	k, err := kindOf(a)
	return err == nil && a.Store == b.Store && k.same(a, b)
}

// InDataFolder reports whether the store is in the data folder. The server then
// also keeps files that belong to the store there, such as the operator token.
func InDataFolder(cfg *config.Config) bool {
	k, err := kindOf(cfg)
	return err == nil && k.inDataFolder()
}

// CanBackUp returns nil if package sqlite makes backups of the store. Otherwise
// the error says what to use instead.
func CanBackUp(cfg *config.Config) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.canBackUp()
}

// SealsKeys returns nil if package sqlite seals provider keys with a master
// key. Otherwise the error says why there is nothing to examine or rotate.
func SealsKeys(cfg *config.Config) error {
	k, err := kindOf(cfg)
	if err != nil {
		return err
	}
	return k.sealsKeys()
}
