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

// A place is a store that data moves from or to.
type place struct {
	cfg  *config.Config // of this store
	text string         // for a person; without what is secret
}

// placeOf reads the name of a place: a data folder, or a MongoDB
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
	text, err := store.Describe(&own)
	return place{cfg: &own, text: text}, err
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
func (p place) same(other place) bool { return store.Same(p.cfg, other.cfg) }

// openSource opens a place to read from. It makes and changes nothing there.
func (p place) openSource(ctx context.Context) (backend.Store, error) {
	return store.OpenSource(ctx, p.cfg)
}

// openTarget opens a place to write to, and sets it up as serve does.
func (p place) openTarget(ctx context.Context, log *slog.Logger) (backend.Store, error) {
	opened, err := store.Open(ctx, p.cfg, log)
	return opened.Store, err
}

// openDry opens a place to see what would be written. Nothing is made or
// changed; a folder without a database is nil.
func (p place) openDry(ctx context.Context) (backend.Store, error) {
	if there, err := store.Exists(p.cfg); err != nil || !there {
		return nil, err
	}
	return p.openSource(ctx)
}
