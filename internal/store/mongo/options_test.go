package mongo_test

import (
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
)

func TestOptions_HostListShowsNoSecret(t *testing.T) {
	t.Parallel()
	const unknown = "the servers of mongodb_uri"
	for uri, want := range map[string]string{
		"":                                      "db.example:27018", // host and port
		"mongodb://one.example":                 "one.example",
		"mongodb://one.example:1,[::1]:2/web":   "one.example:1,[::1]:2",
		"mongodb://u:hush@one.example/?w=1":     "one.example",
		"mongodb://u:hu%40sh@one.example?w=1":   "one.example",
		"mongodb+srv://u:hush@cluster.example/": "cluster.example",
		"mongodb://u:hu@sh@one.example/":        unknown,
		"mongodb://u:hush@hush/hush@x.example/": unknown,
		"mongodb://u:hush/hush@one.example/":    unknown,
		"mongodb://u:hush?hush@one.example/":    unknown,
		"u:hush@one.example":                    unknown,
		"hush":                                  unknown,
	} {
		o := mongo.Options{URI: backend.NewSecret(uri), Host: "db.example", Port: 27018}
		if got := o.HostList(); got != want {
			t.Errorf("hosts of %q: got %q, want %q", uri, got, want)
		}
	}
}

func TestOptions_Login(t *testing.T) {
	t.Parallel()
	hush := backend.NewSecret("hush")
	for name, test := range map[string]struct {
		options mongo.Options
		want    mongo.Login
	}{
		"nobody": {mongo.Options{Host: "one.example", Port: 1, AuthDatabase: "admin"}, mongo.Login{}},
		"keys": {mongo.Options{Host: "one.example", Port: 1, Username: "u", Password: hush, AuthDatabase: "auth"},
			mongo.Login{Username: "u", Password: hush, Database: "auth"}},
		"URI": {mongo.Options{URI: backend.NewSecret("mongodb://v:hu%40sh@one.example/?authSource=other"), AuthDatabase: "admin"},
			mongo.Login{Username: "v", Password: backend.NewSecret("hu@sh"), Database: "other"}},
		"URI with a database": {mongo.Options{URI: backend.NewSecret("mongodb://v:hush@one.example/web"), AuthDatabase: "admin"},
			mongo.Login{Username: "v", Password: hush, Database: "web"}},
		"keys beside a URI": {mongo.Options{URI: backend.NewSecret("mongodb://v:x@one.example/"), Username: "u", Password: hush, AuthDatabase: "auth"},
			mongo.Login{Username: "u", Password: hush, Database: "auth"}},
	} {
		if got := test.options.Login(); got != test.want {
			t.Errorf("%s: got %q with password %q in %q, want %q with %q in %q", name, got.Username, got.Password.Reveal(),
				got.Database, test.want.Username, test.want.Password.Reveal(), test.want.Database)
		}
	}
}
