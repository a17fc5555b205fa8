package config

import (
	"strings"
	"testing"
)

func TestLoad_MongoDBOnAnotherMachineWithoutTLS(t *testing.T) {
	t.Parallel()
	const user = "app:" + secretText + "@"
	for name, tt := range map[string]struct {
		yaml string
		want string // the key in the warning; "" for no warning
	}{
		"host":                     {"mongodb_host: db.example", "mongodb_host"},
		"host with TLS":            {"{mongodb_host: db.example, mongodb_tls: true}", ""},
		"this machine":             {"mongodb_host: localhost", ""},
		"this machine, IPv4":       {"mongodb_host: 127.0.0.1", ""},
		"this machine, IPv6":       {"mongodb_host: ::1", ""},
		"another store":            {"{store: embedded, mongodb_host: db.example}", ""},
		"URI":                      {"mongodb_uri: mongodb://" + user + "db.example/web?w=1", "mongodb_uri"},
		"URI, off":                 {"mongodb_uri: mongodb://db.example/?tls=false", "mongodb_uri"},
		"URI, several":             {"mongodb_uri: mongodb://127.0.0.1:1,db.example:2/", "mongodb_uri"},
		"URI with TLS":             {"mongodb_uri: mongodb://" + user + "db.example/?w=1&tls=true", ""},
		"URI with TLS, older name": {"mongodb_uri: mongodb://db.example/?SSL=true", ""},
		"URI with an authority":    {"mongodb_uri: mongodb://db.example/?tlsCAFile=ca.pem", ""},
		"URI, name service":        {"mongodb_uri: mongodb+srv://db.example/", ""},
		"URI, name service, off":   {"mongodb_uri: mongodb+srv://db.example/?tls=false", "mongodb_uri"},
		"URI, this machine":        {"mongodb_uri: mongodb://" + user + "localhost:27017,[::1]:2/", ""},
		"URI, socket":              {"mongodb_uri: mongodb://%2Ftmp%2Fmongodb-27017.sock", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(Sources{File: writeFile(t, "c.yaml", tt.yaml)})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(cfg.Warnings, "\n")
			if (got != "") != (tt.want != "") || !strings.HasPrefix(got, tt.want) || strings.Contains(got, secretText) {
				t.Errorf("got warnings %q, want one of %q, without a secret", got, tt.want)
			}
		})
	}
}

func TestLoad_TLSKeysWithoutEffect(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"{mongodb_uri: 'mongodb://db/?tls=false', mongodb_tls: true}":          "tls=true and tlsCAFile=FILE of the URI",
		"{mongodb_uri: 'mongodb://db/?tls=true', mongodb_tls_ca_file: ca.pem}": "tls=true and tlsCAFile=FILE of the URI",
		"{mongodb_host: db, mongodb_tls_ca_file: ca.pem}":                      "no effect without mongodb_tls: true",
	} {
		_, err := Load(Sources{File: writeFile(t, "c.yaml", yaml)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", yaml, err, want)
		}
	}
}
