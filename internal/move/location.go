package move

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store"
)

// A location is a store that data is moved from or to.
type location struct {
	cfg  *config.Config // configuration of this store
	text string         // name of the store for people; contains no secrets
}

// locationOf parses the name of a location. The name is a data folder, or a
// MongoDB connection string whose path may name the database. "" is the store
// of cfg. The name mongodb:// alone is the MongoDB of cfg, even if cfg chooses
// the other store.
func locationOf(cfg *config.Config, name string) (location, error) {
	own := *cfg
	switch scheme, rest, _ := strings.Cut(name, "://"); {
	case name == "":
	case name == "mongodb://":
		if own.MongoDB.Host == "" && !own.MongoDB.URI.IsSet() {
			return location{}, errors.New("the configuration names no MongoDB; set mongodb_host or mongodb_uri, or give a URI with a server")
		}
		own.Store = config.StoreMongoDB
	case scheme == "mongodb" && rest != "", scheme == "mongodb+srv" && rest != "":
		// The credentials in the configuration are only for the server in the
		// configuration.
		own.Store, own.MongoDB.URI, own.MongoDB.Host = config.StoreMongoDB, backend.NewSecret(name), ""
		own.MongoDB.Username, own.MongoDB.Password = "", backend.Secret{}
		database, err := databaseOf(rest)
		if err != nil {
			return location{}, err
		}
		if database != "" {
			own.MongoDB.Database = database
		}
	case strings.Contains(name, "://"):
		return location{}, errors.New("a store is named by a data folder, or by a URI that begins with mongodb:// or mongodb+srv://")
	default:
		own.Store, own.DataDir = config.StoreEmbedded, name
	}
	text, err := store.Describe(&own)
	return location{cfg: &own, text: text}, err
}

// databaseOf returns the path of a connection string. The string has no scheme.
func databaseOf(uri string) (string, error) {
	uri, _, _ = strings.Cut(uri, "?")
	_, database, _ := strings.Cut(uri, "/")
	database, err := url.PathUnescape(database)
	if err != nil || strings.ContainsAny(database, "/@") {
		// The supposed database name may contain the password, so the error
		// does not show it.
		return "", errors.New("the URI of MongoDB cannot be read; user name and password must be percent-encoded")
	}
	return database, nil
}

// same reports whether two locations are the same, as far as their names show.
func (p location) same(other location) bool { return store.Same(p.cfg, other.cfg) }

// openSource opens a location for reading. It creates and changes nothing
// there.
func (p location) openSource(ctx context.Context) (backend.Store, error) {
	return store.OpenSource(ctx, p.cfg)
}

// openTarget opens a location for writing, and sets it up in the same way as
// serve does.
func (p location) openTarget(ctx context.Context, log *slog.Logger) (backend.Store, error) {
	opened, err := store.Open(ctx, p.cfg, log)
	return opened.Store, err
}

// openDry opens a location to find out what would be written. It creates and
// changes nothing. If there is no database, it returns nil.
func (p location) openDry(ctx context.Context) (backend.Store, error) {
	if there, err := store.Exists(p.cfg); err != nil || !there {
		return nil, err
	}
	return p.openSource(ctx)
}
