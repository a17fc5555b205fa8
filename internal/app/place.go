package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/sqlite"
)

// A place is a store that data moves from or to.
type place struct {
	cfg  *config.Config // of this store
	text string         // for a person; without what is secret
}

// placeOf reads what --from and --to say: a data folder, or a MongoDB
// connection string whose path may name the database. "" is the store of cfg, and
// mongodb:// alone the MongoDB of cfg, whichever store cfg chooses.
func placeOf(cfg *config.Config, name string) (place, error) {
	own := *cfg
	switch scheme, rest, _ := strings.Cut(name, "://"); {
	case name == "":
	case name == "mongodb://":
		if own.MongoDB.Host == "" && !own.MongoDB.URI.IsSet() {
			return place{}, errors.New("the configuration names no MongoDB; set mongodb_host or mongodb_uri, or give a URI with a server")
		}
		own.Store = config.StoreMongoDB
	case scheme == "mongodb" && rest != "", scheme == "mongodb+srv" && rest != "":
		// The user of the configuration is for the server of the configuration.
		own.Store, own.MongoDB.URI, own.MongoDB.Host = config.StoreMongoDB, backend.NewSecret(name), ""
		own.MongoDB.Username, own.MongoDB.Password = "", backend.Secret{}
		database, err := databaseOf(rest)
		if err != nil {
			return place{}, err
		}
		if database != "" {
			own.MongoDB.Database = database
		}
	case strings.Contains(name, "://"):
		return place{}, errors.New("a place is a data folder, or a URI that begins with mongodb:// or mongodb+srv://")
	default:
		own.Store, own.DataDir = config.StoreEmbedded, name
	}
	p := place{cfg: &own, text: "data folder " + own.DataDir}
	if own.Store == config.StoreMongoDB {
		p.text = fmt.Sprintf("MongoDB database %s at %s", own.MongoDB.Database, bootstrapOptions(&own).Store.HostList())
	}
	return p, nil
}

// databaseOf gives the path of a connection string without its scheme.
func databaseOf(uri string) (string, error) {
	uri, _, _ = strings.Cut(uri, "?")
	_, database, _ := strings.Cut(uri, "/")
	database, err := url.PathUnescape(database)
	if err != nil || strings.ContainsAny(database, "/@") {
		// The password may be in what was taken for the database.
		return "", errors.New("the URI of MongoDB cannot be read; user name and password must be percent-encoded")
	}
	return database, nil
}

// same reports whether two places are one, as far as their names tell.
func (p place) same(other place) bool {
	if p.cfg.Store != other.cfg.Store {
		return false
	}
	if p.cfg.Store == config.StoreEmbedded {
		return folderOf(p.cfg.DataDir) == folderOf(other.cfg.DataDir)
	}
	a, b := p.cfg.MongoDB, other.cfg.MongoDB
	return a.Database == b.Database && a.CredentialCollection == b.CredentialCollection &&
		a.UserCollection == b.UserCollection && a.CharacterCollection == b.CharacterCollection &&
		slices.ContainsFunc(p.hosts(), func(host string) bool { return slices.Contains(other.hosts(), host) })
}

// hosts are the servers of a MongoDB place, each in one spelling.
func (p place) hosts() []string {
	hosts := strings.Split(strings.ToLower(bootstrapOptions(p.cfg).Store.HostList()), ",")
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

// folderOf gives the one name of a folder, which may not be there yet.
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

// openSource opens a place to read from. It makes and changes nothing there.
func (p place) openSource(ctx context.Context) (backend.Store, error) {
	if p.cfg.Store == config.StoreMongoDB {
		return p.openPlainMongoDB(ctx)
	}
	store, err := sqlite.OpenReadOnly(p.cfg.DataDir, readingKeys(p.cfg))
	if err != nil {
		return nil, err
	}
	return store, nil
}

// openPlainMongoDB connects without the first run's steps and without indexes.
func (p place) openPlainMongoDB(ctx context.Context) (backend.Store, error) {
	store, err := mongo.Open(bootstrapOptions(p.cfg).Store)
	if err != nil {
		return nil, err
	}
	err = store.Ping(ctx)
	if mongo.IsRefused(err) {
		login := bootstrapOptions(p.cfg).Store.Login()
		err = fmt.Errorf("the server does not know user %q in database %q, or not with this password; "+
			"if the user is defined in another database, name it: ?authSource=admin behind the URI, or mongodb_auth_database",
			login.Username, cmp.Or(login.Database, "admin"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.text, err), store.Close())
	}
	return store, nil
}

// openTarget opens a place to write to, and sets it up as serve does.
func (p place) openTarget(ctx context.Context, log *slog.Logger) (backend.Store, error) {
	opened, err := openStore(ctx, p.cfg, log)
	return opened.Store, err
}

// openDry opens a place to see what would be written. Nothing is made or
// changed; a folder without a database is nil.
func (p place) openDry(ctx context.Context) (backend.Store, error) {
	if p.cfg.Store == config.StoreEmbedded && !sqlite.Exists(p.cfg.DataDir) {
		return nil, nil //nolint:nilnil // there is nothing to open, and that is no error
	}
	return p.openSource(ctx)
}

// readingKeys gives every master key that there is for a data folder: that of
// the configuration, and that of the folder. It makes none.
func readingKeys(cfg *config.Config) sqlite.KeySource {
	return func(sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := findKeys(cfg)
		if err != nil {
			return masterkey.Ring{}, err
		}
		keys := found.ring.Keys()
		if own, err := masterkey.ReadFile(found.path); err == nil { // else keys doctor says what is wrong
			keys = append(keys, own.Keys()...)
		}
		return masterkey.NewRing(keys...), nil
	}
}
