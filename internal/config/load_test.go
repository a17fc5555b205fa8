package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// secretText is the password in these tests.
const secretText = "hunter2-s3cret"

// writeFile writes a file to a temporary folder of the test and returns its
// path.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment returns a Getenv function for these variables.
func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

// faultsOf loads the sources and returns the faults, without the file's folder.
func faultsOf(t *testing.T, sources Sources) []string {
	t.Helper()
	cfg, err := Load(sources)
	if err == nil {
		return nil
	}
	if cfg != nil {
		t.Errorf("Load gave a configuration beside the error %v", err)
	}
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("Load: %v is no Faults", err)
	}
	lines := slices.Clone([]string(faults))
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], filepath.Dir(sources.File)+string(filepath.Separator), "")
		if strings.Contains(lines[i], "\n") {
			t.Errorf("fault %q takes more than a line", lines[i])
		}
		if !strings.Contains(err.Error(), lines[i]) && sources.File == "" {
			t.Errorf("the error %q lacks the fault %q", err, lines[i])
		}
	}
	return lines
}

func TestLoad_FileFaults(t *testing.T) {
	t.Parallel()
	const (
		wantPort  = "; want a whole number from 0 to 65535"
		wantLevel = "; want DEBUG, INFO, WARNING, ERROR, CRITICAL or their numbers in Python, 10, 20, 30, 40, 50"
		wantList  = "; want a list of origins such as https://example.org"
	)
	tests := []struct {
		name, yaml string
		want       []string // the beginning of each fault
	}{
		{"empty", "", nil},
		{"comments only", "# nothing\n\n# at all\n", nil},
		{"unknown key", "host: a\nprot: 80\n", []string{"c.yaml:2: prot: unknown key; the keys here are store, host, port, "}},
		{"unknown key of a section", "logger_cfg:\n  level: INFO\n", []string{
			"c.yaml:2: logger_cfg.level: unknown key; the keys here are logger_path, file_level, console_level, max_size_mb, max_files"}},
		{"key that is a number", "1: 2\n", []string{"c.yaml:1: 1: unknown key"}},
		{"key with a line end", "\"a\\nb\": 2\n", []string{`c.yaml:1: a\nb: unknown key`}},
		{"key that is a list", "? [port]\n: 80\n", []string{"c.yaml:1: : unknown key"}},
		{"merge key that brings an unknown one", "port: 1\n<<: {prot: 80}\n", []string{"c.yaml:2: prot: unknown key"}},
		{"merge key that brings no keys", "logger_cfg:\n  <<: [5]\n", []string{"c.yaml:2: <<: want keys with values"}},
		{"merge key that brings itself", "x-a: &a\n  <<: *a\nlogger_cfg: *a\n", nil},

		{"text for a number", "port: \"80\"\n", []string{`c.yaml:1: port: "\"80\"" is not allowed` + wantPort}},
		{"fraction for a number", "port: 80.5\n", []string{`c.yaml:1: port: "80.5" is not allowed` + wantPort}},
		{"hexadecimal number", "port: 0x50\n", []string{`c.yaml:1: port: "0x50" is not allowed` + wantPort}},
		{"list for a number", "port: [80]\n", []string{`c.yaml:1: port: "[80]" is not allowed` + wantPort}},
		{"mapping for a number", "port: {a: 1}\n", []string{`c.yaml:1: port: "keys with values" is not allowed` + wantPort}},
		{"declared type that does not hold", "port: !!int many\n", []string{`c.yaml:1: port: "many" is not allowed` + wantPort}},
		{"number for a text", "host: 5\n", []string{`c.yaml:1: host: "5" is not allowed; want a host name`}},
		{"number for a duration", "read_timeout: 30\n", []string{
			`c.yaml:1: read_timeout: "30" is not allowed; want a duration such as 30s or 1m30s, from 1s to 1h0m0s`}},
		{"word for a duration", "read_timeout: soon\n", []string{`c.yaml:1: read_timeout: "soon" is not allowed; want a duration`}},
		{"word for a boolean", "enable_cors: yes\n", []string{`c.yaml:1: enable_cors: "yes" is not allowed; want true or false`}},
		{"text for a boolean", "enable_cors: \"true\"\n", []string{`c.yaml:1: enable_cors: "\"true\"" is not allowed; want true or false`}},
		{"text for a list", "cors_origins: https://a.example\n", []string{
			`c.yaml:1: cors_origins: "https://a.example" is not allowed` + wantList}},
		{"number in a list", "cors_origins: [5]\n", []string{`c.yaml:1: cors_origins: "[5]" is not allowed` + wantList}},
		{"nothing in a list", "cors_origins: [~]\n", []string{`c.yaml:1: cors_origins: "[~]" is not allowed` + wantList}},
		{"origin with a path", "cors_origins: [https://a.example/x]\n", []string{"c.yaml:1: cors_origins: "}},
		{"origin without a scheme", "cors_origins: [a.example]\n", []string{"c.yaml:1: cors_origins: "}},
		{"origin that is a pattern", "cors_origins: [\"https://*.example\"]\n", []string{"c.yaml:1: cors_origins: "}},
		{"any origin as a pattern", "cors_origins: [\"*\"]\n", []string{"c.yaml:1: cors_origins: "}},
		{"empty path in a list", "default_character_config_paths: [\"\"]\n", []string{
			"c.yaml:1: default_character_config_paths: "}},
		{"alias in a list", "cors_origins: &x [*x]\n", []string{"c.yaml:1: cors_origins: "}},
		{"section that is a number", "logger_cfg: 5\n", []string{"c.yaml:1: logger_cfg: want keys with values"}},

		{"number too small", "port: -1\n", []string{`c.yaml:1: port: "-1" is not allowed` + wantPort}},
		{"number too large", "port: 65536\n", []string{`c.yaml:1: port: "65536" is not allowed` + wantPort}},
		{"number far too large", "port: 99999999999999999999\n", []string{"c.yaml:1: port: "}},
		{"body limit too small", "max_body_bytes: 1023\n", []string{
			`c.yaml:1: max_body_bytes: "1023" is not allowed; want a whole number from 1024 to 1073741824`}},
		{"duration too short", "read_timeout: 999ms\n", []string{`c.yaml:1: read_timeout: "999ms" is not allowed`}},
		{"duration too long", "idle_timeout: 61m\n", []string{`c.yaml:1: idle_timeout: "61m" is not allowed`}},
		{"duration below nothing", "shutdown_timeout: -1s\n", []string{`c.yaml:1: shutdown_timeout: "-1s" is not allowed`}},
		{"no host", "host: \"\"\n", []string{`c.yaml:1: host: "" is not allowed; want a host name`}},
		{"origins without CORS", "cors_origins: [https://a.example]\n", []string{"cors_origins: has no effect without enable_cors: true"}},
		{"unknown store", "store: redis\n", []string{`c.yaml:1: store: "redis" is not allowed; want one of embedded, mongodb`}},
		{"empty text that is required", "data_dir: \"\"\n", []string{`c.yaml:1: data_dir: "" is not allowed; want a text that is not empty`}},
		{"unknown level", "logger_cfg: {file_level: LOUD}\n", []string{
			`c.yaml:1: logger_cfg.file_level: "LOUD" is not allowed` + wantLevel}},
		{"level between Python's", "logger_cfg: {file_level: 15}\n", []string{
			`c.yaml:1: logger_cfg.file_level: "15" is not allowed` + wantLevel}},

		{"duplicate", "port: 80\nhost: a\nport: 81\n", []string{"c.yaml:3: port: stands twice"}},
		{"duplicate in a section", "logger_cfg:\n  max_files: 1\n  max_files: 2\n", []string{"c.yaml:3: logger_cfg.max_files: stands twice"}},
		{"duplicate section", "logger_cfg: {}\nlogger_cfg: {}\n", []string{"c.yaml:2: logger_cfg: stands twice"}},
		{"duplicate in two spellings", "logger_cfg: {max_files: 1}\nlogger_cfg.max_files: 2\n", []string{
			"c.yaml:2: logger_cfg.max_files: stands twice"}},

		{"list at the top", "- port\n", []string{"c.yaml:1: want keys with values"}},
		{"list at the top after a comment", "# none\n\n- port\n", []string{"c.yaml:3: want keys with values"}},
		{"text at the top", "port\n", []string{"c.yaml:1: want keys with values"}},
		{"not YAML", "a: b: c\n", []string{"c.yaml: not YAML: yaml: mapping values are not allowed"}},
		{"open list", "cors_origins: [a\n", []string{"c.yaml: not YAML: yaml: line 1: did not find expected ',' or ']'"}},
		{"unknown anchor", "host: *a\n", []string{"c.yaml: not YAML: yaml: unknown anchor '***' referenced"}},
		{"open quote", "host: \"a\n", []string{"c.yaml: not YAML: yaml: line 2: found unexpected end of stream"}},
		{"control character", "host: \x00\n", []string{"c.yaml: not YAML: "}},
		{"not UTF-8", "host: \xff\n", []string{"c.yaml: not YAML: "}},
		{"two documents", "port: 80\n---\nport: 81\n", []string{"c.yaml:2: a second document begins here; want one"}},
		{"two documents, the second no YAML", "port: 80\n---\na: b: c\n", []string{"c.yaml: not YAML: "}},

		{"several at once", "prot: 1\nport: 65536\nstore: redis\nport: 5\nlogger_cfg: {x: 1, max_files: 0}\n", []string{
			"c.yaml:1: prot: unknown key", "c.yaml:2: port: ", "c.yaml:3: store: ", "c.yaml:4: port: stands twice",
			"c.yaml:5: logger_cfg.x: unknown key",
			`c.yaml:5: logger_cfg.max_files: "0" is not allowed; want a whole number from 1 to 1000`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, Sources{File: writeFile(t, "c.yaml", tt.yaml)})
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("file %q\n got %q\nwant %q", tt.yaml, got, tt.want)
			}
		})
	}
}

func TestLoad_EnvironmentAndFlagFaults(t *testing.T) {
	t.Parallel()
	password := writeFile(t, "password", secretText+"\n")
	tests := []struct {
		name  string
		env   map[string]string
		flags map[string]string
		want  []string
	}{
		{"nothing set", nil, nil, nil},
		{"word for a number", map[string]string{"WEB_BACKEND_PORT": "http"}, nil, []string{
			`environment variable WEB_BACKEND_PORT: "http" is not allowed; want a whole number from 0 to 65535`}},
		{"empty is not set", map[string]string{"WEB_BACKEND_PORT": "", "MONGODB_PASSWORD_FILE": ""}, nil, nil},
		{"port 0 of MongoDB", map[string]string{"MONGODB_PORT": "0"}, nil, []string{
			`environment variable MONGODB_PORT: "0" is not allowed; want a whole number from 1 to 65535`}},
		{"boolean", map[string]string{"WEB_BACKEND_ENABLE_CORS": "maybe"}, nil, []string{
			`environment variable WEB_BACKEND_ENABLE_CORS: "maybe" is not allowed; want true or false`}},
		{"list", map[string]string{"WEB_BACKEND_CORS_ORIGINS": "https://a.example,b"}, nil, []string{
			`environment variable WEB_BACKEND_CORS_ORIGINS: entry 2 ("b") is not allowed; want a list of origins`}},
		{"line end in a value", map[string]string{"WEB_BACKEND_STORE": "a\nb"}, nil, []string{
			`environment variable WEB_BACKEND_STORE: "a\nb" is not allowed`}},
		{"secret and its file", map[string]string{"MONGODB_PASSWORD": secretText, "MONGODB_PASSWORD_FILE": password}, nil, []string{
			"environment: MONGODB_PASSWORD and MONGODB_PASSWORD_FILE are both set; want one"}},
		{"empty secret and its file", map[string]string{"MONGODB_PASSWORD": "", "MONGODB_PASSWORD_FILE": password}, nil, nil},
		{"file that is missing", map[string]string{"MONGODB_ADMIN_PASSWORD_FILE": "/no/such/file"}, nil, []string{
			"environment variable MONGODB_ADMIN_PASSWORD_FILE: open /no/such/file: no such file"}},
		{"file that is a folder", map[string]string{"MONGODB_PASSWORD_FILE": filepath.Dir(password)}, nil, []string{
			"environment variable MONGODB_PASSWORD_FILE: read "}},
		{"short operator token", map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": strings.Repeat("a", 16) + ", " + strings.Repeat("b", 15)}, nil, []string{
			"operator_token: one has 15 bytes, want 16 to 1024"}},
		{"operator token that no header carries", map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": strings.Repeat("a", 1025)}, nil, []string{
			"operator_token: one has 1025 bytes, want 16 to 1024"}},
		{"operator token of separators", map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": " , \n,"}, nil, []string{
			"operator_token: there is none in what is set"}},
		{"password hash out of bounds", map[string]string{"WEB_BACKEND_PASSWORD_HASH_PARALLELISM": "255", "WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB": "8"}, nil, []string{
			"password_hash: memory is 8 KiB, want 2040 "}},
		{"master key", map[string]string{"WEB_BACKEND_MASTER_KEY": secretText}, nil, []string{"master_key: "}},
		{"mode", map[string]string{"WEB_BACKEND_ACCESS": "Strict"}, nil, []string{
			`environment variable WEB_BACKEND_ACCESS: "Strict" is not allowed; want one of open, guarded, strict`}},
		{"flag", nil, map[string]string{"port": "65536"}, []string{
			`flag --port: "65536" is not allowed; want a whole number from 0 to 65535`}},
		{"flag of two words", nil, map[string]string{"data_dir": ""}, []string{
			`flag --data-dir: "" is not allowed; want a text that is not empty`}},
		{"both at once", map[string]string{"WEB_BACKEND_PORT": "x", "MONGODB_PORT": "y"}, map[string]string{"port": "z"}, []string{
			"environment variable WEB_BACKEND_PORT: ", "environment variable MONGODB_PORT: ", "flag --port: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, Sources{Getenv: environment(tt.env), Flags: tt.flags})
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("environment %q, flags %q\n got %q\nwant %q", tt.env, tt.flags, got, tt.want)
			}
		})
	}
}

func TestLoad_AllFaultsOfAllSourcesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(Sources{
		File:   writeFile(t, "c.yaml", "prot: 1\nstore: 5\nmax_connections: 0\nmongodb_password: 12345\n"),
		Getenv: environment(map[string]string{"WEB_BACKEND_LOG_FILE_LEVEL": "LOUD", "MONGODB_PASSWORD_FILE": "/no/such/file"}),
		Flags:  map[string]string{"port": "70000"},
	})
	faults, ok := errors.AsType[Faults](err)
	if !ok || len(faults) != 7 {
		t.Fatalf("got %d faults, want 7: %v", len(faults), err)
	}
	for _, want := range []string{"has 7 faults:\n  ", ":1: prot: ", ":2: store: \"5\"", ":3: max_connections: \"0\"",
		":4: mongodb_password: ***", "WEB_BACKEND_LOG_FILE_LEVEL", "MONGODB_PASSWORD_FILE", "--port: \"70000\""} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestLoad_OneFaultReadsWell(t *testing.T) {
	t.Parallel()
	_, err := Load(Sources{Flags: map[string]string{"port": "x"}})
	want := "the configuration has a fault: flag --port: \"x\" is not allowed; want a whole number from 0 to 65535"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestLoad_MissingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	got := faultsOf(t, Sources{File: path, Flags: map[string]string{"port": "x"}})
	want := []string{"configuration file: open none.yaml: no such file", `flag --port: "x" is not allowed`}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Faults appear on the console, where others may see them. So no file content,
// even if it is not YAML, may make a fault show a password.
func TestLoad_NoSecretInFaults(t *testing.T) {
	t.Parallel()
	for _, yaml := range []string{
		"mongodb_password: *%s", // an alias in YAML
		"mongodb_password: &%s",
		"mongodb_password: !%s x",
		"mongodb_password: @%s",
		"mongodb_password: `%s",
		"mongodb_password: %%%s",
		"mongodb_password: >%s",
		"mongodb_password: \"%s",
		"mongodb_password: '%s' x",
		"mongodb_password: %s: x",
		"mongodb_password: [%s]",
		"mongodb_password: {%s: 1}",
		"mongodb_password: !!int %s",
		"mongodb_password: !!binary %s",
		"mongodb_password: a\nmongodb_password: %s",
		"mongodb_password:%s",
		"{mongodb_password:%s}",
		"host: a\nmongodb_password:%s: b",
		"mongodb_pasword: %s",
		"logger_cfg: {mongodb_password: %s}",
		"mongodb_password: {a: *%s}",
		"port: x # not %s",
		"port: [1, # not %s\n 2]",
		"# %s\nport: x\n# %[1]s",
	} {
		t.Run(yaml, func(t *testing.T) {
			t.Parallel()
			data := fmt.Sprintf(yaml, secretText)
			for _, fault := range faultsOf(t, Sources{File: writeFile(t, "c.yaml", data)}) {
				if strings.Contains(fault, secretText) {
					t.Errorf("file %q\nfault %q", data, fault)
				}
			}
		})
	}
}

func TestLoad_NoSecretInConfig(t *testing.T) {
	t.Parallel()
	sources := map[string]Sources{
		"file": {File: writeFile(t, "c.yaml", "mongodb_password: "+secretText+"\nmongodb_admin_password: "+secretText)},
		"environment": {Getenv: environment(map[string]string{
			"MONGODB_PASSWORD": secretText, "MONGODB_ADMIN_PASSWORD": secretText})},
		"files of the environment": {Getenv: environment(map[string]string{
			"MONGODB_PASSWORD_FILE":       writeFile(t, "p", secretText+"\r\n"),
			"MONGODB_ADMIN_PASSWORD_FILE": writeFile(t, "a", secretText)})},
	}
	for name, sources := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(sources)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.MongoDB.Password.Reveal() != secretText || cfg.MongoDB.AdminPassword.Reveal() != secretText {
				t.Errorf("passwords %q, %q", cfg.MongoDB.Password.Reveal(), cfg.MongoDB.AdminPassword.Reveal())
			}
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				for _, value := range []any{cfg, *cfg, cfg.MongoDB, &cfg.MongoDB} {
					if text := fmt.Sprintf(format, value); strings.Contains(text, secretText) ||
						strings.Contains(text, fmt.Sprintf("%x", secretText)) {
						t.Errorf("%s shows the password: %s", format, text)
					}
				}
			}
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("configuration", "config", cfg, "password", cfg.MongoDB.Password)
			if strings.Contains(log.String(), secretText) {
				t.Errorf("the log shows the password: %s", log.String())
			}
		})
	}
}

func TestLoad_Precedence(t *testing.T) {
	t.Parallel()
	settings := []struct {
		yaml, env, flag string // flag is "" if there is none
		get             func(*Config) any
		values          [4]any // of default, file, environment, flag
	}{
		{"host", "WEB_BACKEND_HOST", "host", func(c *Config) any { return c.Host },
			[4]any{"127.0.0.1", "file.example", "env.example", "flag.example"}},
		{"port", "WEB_BACKEND_PORT", "port", func(c *Config) any { return c.Port }, [4]any{18080, 1, 2, 3}},
		{"data_dir", "WEB_BACKEND_DATA_DIR", "data_dir", func(c *Config) any { return c.DataDir },
			[4]any{"data", "file-dir", "env-dir", "flag-dir"}},
		{"logger_cfg: {logger_path", "WEB_BACKEND_LOG_PATH", "", func(c *Config) any { return c.Log.Path },
			[4]any{"logs/server.log", "file.log", "env.log", nil}},
	}
	for _, setting := range settings {
		for sources := range 8 { // one bit each for file, environment and flag
			if sources&4 != 0 && setting.flag == "" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%03b", setting.env, sources), func(t *testing.T) {
				t.Parallel()
				want := setting.values[0]
				given := Sources{Getenv: environment(nil)}
				if sources&1 != 0 {
					want = setting.values[1]
					line := fmt.Sprintf("%s: %v", setting.yaml, want)
					if strings.Contains(line, "{") {
						line += "}"
					}
					given.File = writeFile(t, "c.yaml", line)
				}
				if sources&2 != 0 {
					want = setting.values[2]
					given.Getenv = environment(map[string]string{setting.env: fmt.Sprint(want)})
				}
				if sources&4 != 0 {
					want = setting.values[3]
					given.Flags = map[string]string{setting.flag: fmt.Sprint(want)}
				}
				cfg, err := Load(given)
				if err != nil {
					t.Fatal(err)
				}
				if got := setting.get(cfg); got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

func TestLoad_Levels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]slog.Level{
		"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARNING": slog.LevelWarn, "WARN": slog.LevelWarn,
		"ERROR": slog.LevelError, "CRITICAL": slog.LevelError, "debug": slog.LevelDebug, "Warning": slog.LevelWarn,
		"10": slog.LevelDebug, "20": slog.LevelInfo, "30": slog.LevelWarn, "40": slog.LevelError, "50": slog.LevelError,
	} {
		cfg, err := Load(Sources{
			File:   writeFile(t, "c.yaml", "logger_cfg: {file_level: "+text+"}"),
			Getenv: environment(map[string]string{"WEB_BACKEND_LOG_CONSOLE_LEVEL": text}),
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if cfg.Log.FileLevel != want || cfg.Log.ConsoleLevel != want {
			t.Errorf("%s: file %v, console %v, want %v", text, cfg.Log.FileLevel, cfg.Log.ConsoleLevel, want)
		}
	}
}

func TestLoad_MongoDBHostChoosesTheStore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, yaml string
		env        map[string]string
		want       string
	}{
		{"nothing", "", nil, StoreEmbedded},
		{"host in the environment", "", map[string]string{"MONGODB_HOST": "db"}, StoreMongoDB},
		{"host in the file", "mongodb_host: db", nil, StoreMongoDB},
		{"empty variable", "mongodb_host: db", map[string]string{"MONGODB_HOST": ""}, StoreMongoDB},
		{"other keys of MongoDB", "mongodb_port: 27018", map[string]string{"MONGODB_USERNAME": "u"}, StoreEmbedded},
		{"store in the file", "store: embedded", map[string]string{"MONGODB_HOST": "db"}, StoreEmbedded},
		{"store in the environment", "mongodb_host: db", map[string]string{"WEB_BACKEND_STORE": "embedded"}, StoreEmbedded},
		{"store and host", "store: mongodb", map[string]string{"MONGODB_HOST": "db"}, StoreMongoDB},
		{"URI", "mongodb_uri: mongodb://db", nil, StoreMongoDB},
		{"store beats URI", "store: embedded", map[string]string{"MONGODB_URI": "mongodb://db"}, StoreEmbedded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(Sources{File: writeFile(t, "c.yaml", tt.yaml), Getenv: environment(tt.env)})
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Store != tt.want {
				t.Errorf("store %s, want %s", cfg.Store, tt.want)
			}
		})
	}
}

func TestLoad_Values(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{
		File: writeFile(t, "c.yaml", strings.Join([]string{
			"port: 1_024", "enable_cors: True", "shutdown_timeout: 0s", "read_timeout: &long 1m30s", "write_timeout: *long",
			"cors_origins: [https://a.example, \"http://b.example:8080\"]",
			"logger_cfg.max_files: 7", "logger_cfg.logger_path: \"\"", "mongodb_username: \"\"", "mongodb_password: \"12345\"",
		}, "\n")),
		Getenv: environment(map[string]string{
			"WEB_BACKEND_DEFAULT_CHARACTER_CONFIG_PATHS": " a.json, b.json ,"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Port, want.EnableCORS, want.Limits.ShutdownTimeout, want.Log.Path = 1024, true, 0, ""
	want.Limits.ReadTimeout, want.Limits.WriteTimeout = 90*time.Second, 90*time.Second
	want.CORSOrigins = []string{"https://a.example", "http://b.example:8080"}
	want.DefaultCharacterConfigPaths = []string{"a.json", "b.json"}
	want.Log.MaxFiles = 7
	want.MongoDB.Password, want.Warnings = cfg.MongoDB.Password, cfg.Warnings // see TestLoad_NoServerOfMongoDB
	if cfg.MongoDB.Password.Reveal() != "12345" || !reflect.DeepEqual(cfg, want) {
		t.Errorf(" got %+v\nwant %+v", cfg, want)
	}
}

// Two configurations must not share data, because a test or a reload may change
// one of them.
func TestDefault_IsFresh(t *testing.T) {
	t.Parallel()
	changed := Default()
	if _, err := Load(Sources{Flags: map[string]string{"port": "1"}}); err != nil {
		t.Fatal(err)
	}
	for _, s := range changed.settings() {
		_ = s.value.set("1")
	}
	cfg, err := Load(Sources{})
	if err != nil || !reflect.DeepEqual(cfg, Default()) || reflect.DeepEqual(cfg, changed) {
		t.Errorf("Load without sources gave %+v, %v", cfg, err)
	}
}

// Every field of the configuration must have a key, because otherwise it could
// not be set. Keys and variables must be unique.
func TestSettings_Complete(t *testing.T) {
	t.Parallel()
	keys, variables, targets := map[string]bool{}, map[string]bool{}, map[any]bool{}
	for _, s := range Default().settings() {
		if keys[s.key] || s.env != "" && variables[s.env] {
			t.Errorf("setting %s, %s stands twice", s.key, s.env)
		}
		keys[s.key], variables[s.env] = true, true
		targets[s.value.target] = true
	}
	var leaves int
	var count func(reflect.Type)
	count = func(t reflect.Type) {
		for field := range t.Fields() {
			if field.Name == "Warnings" || field.Name == "Entries" || field.Name == "Motion" {
				continue // set by loading, not read from a source
			}
			if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == reflect.TypeFor[Config]().PkgPath() {
				count(field.Type)
			} else {
				leaves++
			}
		}
	}
	count(reflect.TypeFor[Config]())
	if len(targets) != leaves || len(keys) != leaves {
		t.Errorf("%d fields, %d keys that set %d different ones; keys: %q",
			leaves, len(keys), len(targets), slices.Sorted(maps.Keys(keys)))
	}
}

// A short operator token is accepted, with a warning that does not show the
// token.
func TestLoad_ShortOperatorToken(t *testing.T) {
	t.Parallel()
	const short = "sixteen letters!"
	cfg, err := Load(Sources{Getenv: environment(map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": short + "," + strings.Repeat("long", 8)})})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(cfg.Warnings, "\n"); len(cfg.Warnings) != 1 || !strings.HasPrefix(text, "operator_token: one has 16 bytes") ||
		strings.Contains(text, short) {
		t.Errorf("got the warnings %q, want one of the short token", cfg.Warnings)
	}
}
