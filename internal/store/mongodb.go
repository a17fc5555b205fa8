package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/bootstrap"
	"web-backend/internal/store/sqlite"
)

// mongoDB is the store in a MongoDB database.
type mongoDB struct{}

// open sets the database up if needed, then connects.
func (mongoDB) open(ctx context.Context, cfg *config.Config, log *slog.Logger) (Opened, error) {
	options := bootstrapOptions(cfg)
	err := bootstrap.Run(ctx, options, func(line string) { log.Info("mongodb start-up", "step", line) })
	if err != nil {
		return Opened{}, err
	}
	store, err := mongo.Open(options.Store)
	if err != nil {
		return Opened{}, err
	}
	warnings, err := store.EnsureIndexes(ctx)
	if err != nil {
		return Opened{}, errors.Join(fmt.Errorf("make the indexes: %w", err), store.Close())
	}
	for _, warning := range warnings {
		log.Warn("mongodb index missing", "reason", warning)
	}
	return Opened{
		Store: store, System: "mongodb",
		Description: fmt.Sprintf("mongodb, database %s at %s", cfg.MongoDB.Database, options.Store.HostList()),
		Location:    options.Store.HostList() + "/" + cfg.MongoDB.Database,
	}, nil
}

// read connects without running the first-run steps and without creating
// indexes.
func (m mongoDB) read(ctx context.Context, cfg *config.Config, _ sqlite.KeySource) (backend.Store, error) {
	options := bootstrapOptions(cfg).Store
	store, err := mongo.Open(options)
	if err != nil {
		return nil, err
	}
	err = store.Ping(ctx)
	if mongo.IsRefused(err) {
		login := options.Login()
		err = fmt.Errorf("the server does not know user %q in database %q, or the password is wrong; "+
			"if the user is defined in another database, name it: ?authSource=admin at the end of the URI, or mongodb_auth_database",
			login.Username, cmp.Or(login.Database, "admin"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", m.describe(cfg), err), store.Close())
	}
	return store, nil
}

func (mongoDB) exists(*config.Config) bool { return true }

func (mongoDB) check(cfg *config.Config) (faults []error) {
	options := bootstrapOptions(cfg).Store
	if err := options.CheckTLS(); err != nil {
		faults = append(faults, fmt.Errorf("mongodb_tls_ca_file: %w", err))
	}
	if err := options.CheckURI(); err != nil {
		faults = append(faults, fmt.Errorf("mongodb_uri: %w", err))
	}
	return faults
}

func (mongoDB) describe(cfg *config.Config) string {
	return fmt.Sprintf("MongoDB database %s at %s", cfg.MongoDB.Database, bootstrapOptions(cfg).Store.HostList())
}

func (mongoDB) same(a, b *config.Config) bool {
	m, n := a.MongoDB, b.MongoDB
	return m.Database == n.Database && m.CredentialCollection == n.CredentialCollection &&
		m.UserCollection == n.UserCollection && m.CharacterCollection == n.CharacterCollection &&
		slices.ContainsFunc(hosts(a), func(host string) bool { return slices.Contains(hosts(b), host) })
}

// hosts returns the addresses of the MongoDB servers, each in one canonical
// form.
func hosts(cfg *config.Config) []string {
	hosts := strings.Split(strings.ToLower(bootstrapOptions(cfg).Store.HostList()), ",")
	for i, host := range hosts {
		if strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
			host += ":27017"
		}
		for _, loopback := range []string{"localhost:", "[::1]:"} {
			if port, ok := strings.CutPrefix(host, loopback); ok {
				host = "127.0.0.1:" + port
			}
		}
		hosts[i] = host
	}
	return hosts
}

func (mongoDB) inDataFolder() bool { return false }

func (mongoDB) canBackUp() error {
	return errors.New("store mongodb has its own tools for backups: use mongodump and mongorestore; see docs/backup.md")
}

func (mongoDB) sealsKeys() error {
	return errors.New("on store mongodb provider keys are plain on purpose, because the orchestrator reads them; " +
		"see docs/provider-keys.md for what protects them there")
}

// bootstrapOptions converts the configuration to the options of package
// bootstrap.
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

func (mongoDB) bootstrap(ctx context.Context, cfg *config.Config, check bool, console io.Writer) error {
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

// checkIndexes reports the missing indexes, and the reasons why they cannot be
// created.
func checkIndexes(ctx context.Context, store *mongo.Store, say func(line string)) error {
	lines, err := store.CheckIndexes(ctx)
	if mongo.IsRefused(err) || mongo.IsForbidden(err) {
		say("the indexes could not be checked without the application user")
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
