package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/bootstrap"
	"web-backend/internal/store/sqlite"
)

// openedStore is a store with what is to be said of it.
type openedStore struct {
	backend.Store

	place   string // for a person: which one it is and where
	unready string // why a server with it is not well; "" if it is
}

// openStore opens the store that the configuration chooses, ready to serve.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (opened openedStore, err error) {
	if cfg.Store == config.StoreMongoDB {
		opened.Store, opened.place, err = openMongoDB(ctx, cfg, log)
		return opened, err
	}
	embedded, err := sqlite.OpenLogging(cfg.DataDir, masterKeys(cfg, log, &opened.unready), log)
	if err != nil {
		return openedStore{}, err
	}
	embedded.KeepRecent(int64(cfg.CacheMB) << 20)
	opened.Store, opened.place = embedded, "embedded, in "+absolute(embedded.Path())
	return opened, nil
}

// absolute is path from the root, as a relative one says little to who does not
// know where the server was started.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// openMongoDB sets the database up if it has to, then connects.
func openMongoDB(ctx context.Context, cfg *config.Config, log *slog.Logger) (backend.Store, string, error) {
	options := bootstrapOptions(cfg)
	err := bootstrap.Run(ctx, options, func(line string) { log.Info("mongodb start-up", "step", line) })
	if err != nil {
		return nil, "", err
	}
	store, err := mongo.Open(options.Store)
	if err != nil {
		return nil, "", err
	}
	warnings, err := store.EnsureIndexes(ctx)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("make the indexes: %w", err), store.Close())
	}
	for _, warning := range warnings {
		log.Warn("mongodb index missing", "reason", warning)
	}
	return store, fmt.Sprintf("mongodb, database %s at %s", cfg.MongoDB.Database, options.Store.HostList()), nil
}

// bootstrapOptions puts the configuration in the terms of package bootstrap.
func bootstrapOptions(cfg *config.Config) bootstrap.Options {
	m := cfg.MongoDB
	return bootstrap.Options{
		Store: mongo.Options{
			URI: m.URI, Host: m.Host, Port: m.Port, TLS: m.TLS, TLSCAFile: m.TLSCAFile,
			Username: m.Username, Password: m.Password, AuthDatabase: m.AuthDatabase,
			Database: m.Database, CredentialCollection: m.CredentialCollection,
			UserCollection: m.UserCollection, CharacterCollection: m.CharacterCollection,
			Timeout: m.Timeout, MaxPoolSize: m.MaxPoolSize,
		},
		AdminUsername: m.AdminUsername, AdminPassword: m.AdminPassword, StartupTimeout: m.StartupTimeout,
	}
}

// Bootstrap runs the start-up steps of MongoDB alone and says on console what
// it found and did. With check it changes nothing.
func Bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error {
	if cfg.Store != config.StoreMongoDB {
		return errors.New("there is nothing to set up: the store is embedded; " +
			"set store, mongodb_host or mongodb_uri to choose MongoDB")
	}
	options := bootstrapOptions(cfg)
	options.Check = check
	say := func(line string) { fmt.Fprintln(console, line) }
	if err := bootstrap.Run(ctx, options, say); err != nil {
		return err
	}
	store, err := mongo.Open(options.Store)
	if err != nil {
		return err
	}
	if check {
		return errors.Join(checkIndexes(ctx, store, say), store.Close())
	}
	warnings, err := store.EnsureIndexes(ctx)
	for _, warning := range warnings {
		say("warning: " + warning)
	}
	if err == nil && len(warnings) == 0 {
		say("all indexes are there")
	}
	return errors.Join(err, store.Close())
}

// checkIndexes says which indexes are missing, and what keeps them from being made.
func checkIndexes(ctx context.Context, store *mongo.Store, say func(line string)) error {
	lines, err := store.CheckIndexes(ctx)
	if mongo.IsRefused(err) || mongo.IsForbidden(err) {
		say("the indexes could not be looked at without the application user")
		return nil
	}
	for _, line := range lines {
		say(line)
	}
	if err == nil && len(lines) == 0 {
		say("all indexes are there")
	}
	return err
}
