package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	localFile      = "../../configs/local.yaml"
	productionFile = "../../configs/production.yaml"
	readme         = "../../README.md"
	document       = "../../docs/configuration.md"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLocalFile_IsTheDefault(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{File: localFile})
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(cfg, want) {
		t.Errorf(" got %+v\nwant %+v", cfg, want)
	}
}

// commentedKey matches a MongoDB key that is commented out in local.yaml.
var commentedKey = regexp.MustCompile(`(?m)^# (mongodb_\w+:)`)

func TestLocalFile_CommentedKeysAreTheDefaultToo(t *testing.T) {
	t.Parallel()
	text := commentedKey.ReplaceAllString(read(t, localFile), "$1")
	cfg, err := Load(Sources{File: writeFile(t, "local.yaml", text)})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.MongoDB.Host, want.MongoDB.Username = cfg.MongoDB.Host, cfg.MongoDB.Username // the file has an example for each
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf(" got %+v\nwant %+v", cfg, want)
	}
}

func TestLocalFile_HasEveryKeyAndVariable(t *testing.T) {
	t.Parallel()
	lines := strings.Split(read(t, localFile), "\n")
	for _, s := range Default().settings() {
		parts := strings.Split(s.key, ".")
		start := regexp.MustCompile(`^(# )?` + s.key + `:`)
		if depth := len(parts) - 1; depth > 0 {
			start = regexp.MustCompile(`^` + strings.Repeat("  ", depth) + parts[depth] + `:`)
		}
		found := false
		for _, line := range lines {
			if start.MatchString(line) {
				found = true
				if s.env != "" && !regexp.MustCompile(`# .*\b`+s.env+`\b`).MatchString(line) {
					t.Errorf("the comment of %s does not name its variable %s: %s", s.key, s.env, line)
				}
			}
		}
		if !found {
			t.Errorf("%s lacks the key %s", localFile, s.key)
		}
	}
}

func TestProductionFile(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{File: productionFile, Getenv: environment(map[string]string{
		"MONGODB_HOST":                "db.example",
		"MONGODB_USERNAME":            "app",
		"MONGODB_PASSWORD":            secretText,
		"MONGODB_ADMIN_PASSWORD_FILE": writeFile(t, "admin", "root-"+secretText+"\n"),
	})})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Store != StoreMongoDB || cfg.MongoDB.Host != "db.example" || cfg.MongoDB.Username != "app" ||
		cfg.MongoDB.Password.Reveal() != secretText || cfg.MongoDB.AdminPassword.Reveal() != "root-"+secretText {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Host != "0.0.0.0" || cfg.MongoDB.Database != "web" || cfg.MongoDB.AuthDatabase != "admin" {
		t.Errorf("got %+v", cfg)
	}
	if cfg, err = Load(Sources{File: productionFile}); err != nil || cfg.Store != StoreMongoDB || cfg.MongoDB.Password.IsSet() {
		t.Errorf("without an environment: %+v, %v", cfg, err)
	}
}

// A team's file may contain any key of the original (contract §7), whether or
// not this program uses it.
func TestLoad_KeysOfTheOriginal(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{File: writeFile(t, "c.yaml", `
type: FastAPIServer
mongodb_host: db
mongodb_port: 27017
mongodb_username: u
mongodb_password: p
mongodb_database: web
mongodb_auth_database: admin
mongodb_credential_collection: UserCredentials
mongodb_user_collection: UserConfigs
mongodb_character_collection: CharacterConfigs
default_user_config_path: user.json
default_character_config_paths: [a.json, b.json]
host: 0.0.0.0
port: 80
enable_cors: false
logger_cfg:
  logger_path: logs/web.log
  file_level: 10
  console_level: 20
`)})
	if err != nil || cfg.Store != StoreMongoDB || cfg.Port != 80 || len(cfg.DefaultCharacterConfigPaths) != 2 {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

// rowPattern matches a row of a table of keys: key, variable, default, text.
var rowPattern = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|([^|\n]*)\\|([^|\n]*)\\|")

// tableRows returns the rows of the tables of keys in a document by key.
func tableRows(t *testing.T, path string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for _, row := range rowPattern.FindAllStringSubmatch(read(t, path), -1) {
		if rows[row[1]] != nil {
			t.Errorf("%s has %s twice", path, row[1])
		}
		rows[row[1]] = row
	}
	return rows
}

// The table of docs/configuration.md must match the program: each key exactly
// once, with its variable and its default value.
func TestDocument_Table(t *testing.T) {
	t.Parallel()
	rows := tableRows(t, document)
	fromTable := &Config{}
	for _, s := range fromTable.settings() {
		row := rows[s.key]
		if row == nil {
			t.Errorf("%s lacks `%s`", document, s.key)
			continue
		}
		delete(rows, s.key)
		if s.env != "" && !strings.Contains(row[2], "`"+s.env+"`") {
			t.Errorf("the row of %s does not name its variable %s: %s", s.key, s.env, row[0])
		}
		if s.value.isSecret() != strings.Contains(row[2], "`_FILE`") {
			t.Errorf("the row of %s is wrong about _FILE: %s", s.key, row[0])
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(row[3]), "`"); ok {
			if err := s.value.set(strings.TrimSuffix(text, "`")); err != nil {
				t.Errorf("the row of %s has a default that is not allowed: %s", s.key, row[0])
			}
		}
	}
	for key := range rows {
		t.Errorf("%s has `%s`, which is not a key", document, key)
	}
	if want := Default(); !reflect.DeepEqual(fromTable, want) {
		t.Errorf("the defaults in %s\n got %+v\nwant %+v", document, fromTable, want)
	}
}

// The few keys in the README have the variable and the default that
// docs/configuration.md gives.
func TestReadme_Table(t *testing.T) {
	t.Parallel()
	all, rows := tableRows(t, document), tableRows(t, readme)
	if len(rows) != 8 {
		t.Errorf("%s has %d keys, want 8", readme, len(rows))
	}
	for key, row := range rows {
		if want := all[key]; want == nil || row[0] != want[0] {
			t.Errorf("%s has the row %s, want %q", readme, row[0], want)
		}
	}
}
