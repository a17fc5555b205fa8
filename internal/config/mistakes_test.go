package config

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// Characters that editors, shells and env files add around a value are
// reported, with their kind and place. They are not silently made a part of the
// value.
func TestLoad_WhatSurroundsAValue(t *testing.T) {
	t.Parallel()
	lineEnd := writeFile(t, "leading", "\n"+secretText)
	latin := writeFile(t, "latin", "caf\xe9")
	tests := []struct {
		name string
		env  map[string]string
		file string
		want []string
	}{
		{"password", map[string]string{"MONGODB_PASSWORD": secretText + "\n"}, "", []string{
			"environment variable MONGODB_PASSWORD: *** ends with a line end"}},
		{"password of Windows", map[string]string{"MONGODB_ADMIN_PASSWORD": secretText + "\r\n"}, "", []string{
			"environment variable MONGODB_ADMIN_PASSWORD: *** ends with a line end"}},
		{"user name", map[string]string{"MONGODB_USERNAME": "web\n"}, "", []string{
			`environment variable MONGODB_USERNAME: "web\n" ends with a line end`}},
		{"URI", map[string]string{"MONGODB_URI": "mongodb://u:" + secretText + "@h\n"}, "", []string{
			"environment variable MONGODB_URI: *** ends with a line end"}},
		{"password in a URI", map[string]string{"MONGODB_URI": "mongodb://u:" + secretText + "%0a@h"}, "", []string{
			"mongodb_uri: the user name or the password has a line end in it"}},
		{"key of S3", map[string]string{"WEB_BACKEND_MOTION_S3_SECRET_KEY": "\t" + secretText}, "", []string{
			"environment variable WEB_BACKEND_MOTION_S3_SECRET_KEY: *** has a control character in it (U+0009)"}},
		{"secret in a file", map[string]string{"MONGODB_PASSWORD_FILE": lineEnd}, "", []string{
			"file " + lineEnd + ", named by MONGODB_PASSWORD_FILE: *** begins with a line end"}},
		{"secret in Latin-1", map[string]string{"MONGODB_PASSWORD_FILE": latin}, "", []string{
			"file " + latin + ", named by MONGODB_PASSWORD_FILE: is not UTF-8"}},
		{"byte order mark", map[string]string{"MONGODB_PASSWORD": "\ufeff" + secretText}, "", []string{
			"environment variable MONGODB_PASSWORD: *** begins with a byte order mark"}},
		{"secret in YAML", nil, "mongodb_password: \"" + secretText + "\\n\"", []string{"c.yaml:1: mongodb_password: *** ends with a line end"}},

		{"folder in quotes", map[string]string{"WEB_BACKEND_DATA_DIR": `"/x/real"`}, "", []string{
			`environment variable WEB_BACKEND_DATA_DIR: "\"/x/real\"" stands in quotes`}},
		{"single quotes", map[string]string{"WEB_BACKEND_LOG_PATH": `'a.log'`, "WEB_BACKEND_BACKUP_DIR": "'b'"}, "", []string{
			`environment variable WEB_BACKEND_LOG_PATH: "'a.log'" stands in quotes`, `environment variable WEB_BACKEND_BACKUP_DIR: "'b'" stands in quotes`}},
		{"one of several", map[string]string{"WEB_BACKEND_DEFAULT_CHARACTER_CONFIG_PATHS": `a.json,"b.json"`}, "", []string{
			`environment variable WEB_BACKEND_DEFAULT_CHARACTER_CONFIG_PATHS: entry 2 ("\"b.json\"") stands in quotes`}},
		{"file of a secret", map[string]string{"MONGODB_PASSWORD_FILE": `"/x"`}, "", []string{
			`environment variable MONGODB_PASSWORD_FILE: "\"/x\"" stands in quotes`}},
		{"line end of a path", map[string]string{"WEB_BACKEND_TLS_CERT": "a\n", "WEB_BACKEND_TLS_KEY": "b\r"}, "", []string{
			`environment variable WEB_BACKEND_TLS_CERT: "a\n" ends with a line end`, `environment variable WEB_BACKEND_TLS_KEY: "b\r" ends with a line end`}},
		{"control character", nil, `motion: {data_dir: "a\tb"}`, []string{`c.yaml:1: motion.data_dir: "a\tb" has a control character in it (U+0009)`}},
		{"space", nil, "default_user_config_path: ' a'", []string{`c.yaml:1: default_user_config_path: " a" begins or ends with a space`}},
		{"host in quotes", map[string]string{"MONGODB_HOST": `"db"`}, "", []string{`environment variable MONGODB_HOST: "\"db\"" stands in quotes`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, Sources{File: writeFile(t, "c.yaml", tt.file), Getenv: environment(tt.env)})
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf(" got %q\nwant %q", got, tt.want)
			}
			if strings.Contains(strings.Join(got, ""), secretText) {
				t.Errorf("a secret is shown: %q", got)
			}
		})
	}
}

func TestLoad_PythonPaths(t *testing.T) {
	t.Parallel()
	got := faultsOf(t, Sources{File: writeFile(t, "c.py", "data_dir = '\"a\"'\nmongodb_password = '"+secretText+"\\n'\n")})
	want := []string{`c.py:1: data_dir: "\"a\"" stands in quotes`, "c.py:2: mongodb_password: a text ends with a line end"}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
}

// Each secret can come from a file. An empty file is a fault. A byte order mark
// is not part of the secret.
func TestLoad_SecretFiles(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("5a", 32)
	for _, s := range Default().settings() {
		if !s.value.isSecret() {
			continue
		}
		t.Run(s.key, func(t *testing.T) {
			t.Parallel()
			for _, content := range []string{"", "\n", "\r\n\r\n", " \n", "\ufeff", "\ufeff\r\n"} {
				file := writeFile(t, "empty", content)
				got := faultsOf(t, Sources{Getenv: environment(map[string]string{s.env + "_FILE": file})})
				want := "environment variable " + s.env + "_FILE: " + file + " is empty; "
				if len(got) != 1 || !strings.HasPrefix(got[0], want) {
					t.Errorf("%q: got %q, want %q", content, got, want)
				}
			}
			report := Examine(Sources{Getenv: environment(map[string]string{s.env + "_FILE": writeFile(t, "marked", "\ufeff"+key+"\r\n")})})
			for _, own := range report.Config.settings() {
				if target, ok := own.value.target.(*backend.Secret); ok && own.key == s.key && target.Reveal() != key {
					t.Errorf("got %q, %v", target.Reveal(), report.Faults)
				}
			}
		})
	}
}

// Several tokens or keys may be on separate lines.
func TestLoad_SeveralOnALineEach(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("t", 32)
	cfg, err := Load(Sources{Getenv: environment(map[string]string{
		"WEB_BACKEND_OPERATOR_TOKEN": token + "\r\n" + token + "x\n", "WEB_BACKEND_MASTER_KEY": strings.Repeat("5a", 32) + "\n",
	})})
	if err != nil || len(cfg.Access.OperatorTokens()) != 2 {
		t.Errorf("got %v, %v", cfg, err)
	}
}

func TestLoad_SecretInQuotes(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{Getenv: environment(map[string]string{"MONGODB_PASSWORD": `"` + secretText + `"`, "MONGODB_HOST": "127.0.0.1"})})
	if err != nil || len(cfg.Warnings) != 1 || !strings.HasPrefix(cfg.Warnings[0], "environment variable MONGODB_PASSWORD: the secret stands in quotes") ||
		strings.Contains(cfg.Warnings[0], secretText) || cfg.MongoDB.Password.Reveal() != `"`+secretText+`"` {
		t.Errorf("got %q, %v", cfg.Warnings, err)
	}
}

func TestLoad_Hosts(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"WEB_BACKEND_HOST", "MONGODB_HOST", "WEB_BACKEND_MOTION_MYSQL_HOST"} {
		for value, want := range map[string]string{
			"127.0.0.1": "", "0.0.0.0": "", "::1": "", "::": "", "fe80::1%eth0": "", "localhost": "", "db.example.": "", "my_db-1": "", "bücher.example": "",
			"127.0.0.1:80": "is not allowed", "db:27017": "is not allowed", "[::1]:80": "is not allowed", "[::1]": "stands in brackets",
			"http://a": "is not allowed", "a/b": "is not allowed", "*": "is not allowed", "a b": "is not allowed", "a..b": "is not allowed",
			"300.0.0.1": "is not allowed", "127.1": "is not allowed", "-a": "is not allowed", ".": "is not allowed", "a,b": "is not allowed",
			strings.Repeat("a", 64): "is not allowed", "u:" + secretText + "@h": "*** is not allowed",
		} {
			var got []string
			for _, fault := range Examine(Sources{Getenv: environment(map[string]string{
				variable: value, "WEB_BACKEND_MOTION_MYSQL_USERNAME": "u", "WEB_BACKEND_MOTION_MYSQL_DATABASE": "d", "WEB_BACKEND_MOTION_DATA_DIR": "m",
			})}).Faults {
				if strings.HasPrefix(fault, "environment variable "+variable+": ") {
					got = append(got, fault)
				}
			}
			if (len(got) == 0) != (want == "") || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) || strings.Contains(strings.Join(got, ""), secretText) {
				t.Errorf("%s=%q: got %q, want %q", variable, value, got, want)
			}
		}
	}
	for _, value := range []string{"300.0.0.1:80", "a b:80", "http://a:80", "a:80:80"} {
		if got := faultsOf(t, Sources{Getenv: environment(map[string]string{"WEB_BACKEND_DEBUG_ADDRESS": value})}); len(got) != 1 {
			t.Errorf("debug_address %q: got %q", value, got)
		}
	}
}

// Origins are stored in the form in which browsers send them.
func TestLoad_Origins(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"https://b.example:443": "https://b.example", "http://b.example:80": "http://b.example", "HTTPS://B.Example": "https://b.example",
		"https://bücher.example": "https://xn--bcher-kva.example", "https://xn--bcher-kva.example:8443": "https://xn--bcher-kva.example:8443",
		"http://[::1]:3000": "http://[::1]:3000", "http://[0:0::1]": "http://[::1]", "https://b.example:80": "https://b.example:80",
		"capacitor://localhost": "capacitor://localhost", "http://web_client:3000": "http://web_client:3000",
		"https://b.example/": "has something behind the host", "https://a b": "is not allowed", "https://u:p@b.example": "is not allowed",
		"https://b.example:99999": "has a port that is none", "*": "is not allowed", "https://": "is not allowed", "null": "is not allowed",
	} {
		report := Examine(Sources{Getenv: environment(map[string]string{
			"WEB_BACKEND_ENABLE_CORS": "true", "WEB_BACKEND_CORS_ORIGINS": "https://first.example," + origin,
		})})
		if len(report.Faults) == 0 {
			if got := report.Config.CORSOrigins[1]; got != want {
				t.Errorf("%q: got %q, want %q", origin, got, want)
			}
		} else if fault := report.Faults[0]; !strings.Contains(fault, `entry 2 ("`) || !strings.Contains(fault, want) {
			t.Errorf("%q: got %q, want %q", origin, fault, want)
		}
	}
}

// A key without a value counts as not set, whatever its type.
func TestLoad_EmptyYAML(t *testing.T) {
	t.Parallel()
	text := "---\nhost:\nport: ~\ntls_cert:\nenable_cors: null\ncors_origins:\nlogger_cfg:\n  # file_level: DEBUG\nbackup:\n  every:\n" +
		"mongodb_password:\nmotion:\n  avatars:\n  mysql:\nmotion_file_api_cfg:\n"
	for _, text := range []string{text, "---\n", "~\n"} {
		report := Examine(Sources{File: writeFile(t, "c.yaml", text)})
		if len(report.Faults) > 0 {
			t.Errorf("%q: got %q", text, report.Faults)
		}
		for _, e := range report.Entries() {
			if e.differs || e.Source != "default" {
				t.Errorf("%s is %q, from %s", e.Key, e.Value, e.Source)
			}
		}
	}
}

func TestLoad_MergeKeys(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{File: writeFile(t, "c.yaml", `
x-paths: &paths {restpose: r, mesh: m, blendshapes: b}
x-log: &log {max_files: 3, max_size_mb: 4}
x-more: &more {max_size_mb: 9, file_level: DEBUG}
x-top: &top {port: 81, host: localhost}
<<: *top
port: 82
logger_cfg:
  max_files: 5
  <<: [*log, *more]
backup: &backup {keep: 2}
motion:
  data_dir: d
  avatars:
    a: *paths
    b: {<<: *paths, mesh: other}
`)})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Port != 82 || cfg.Host != "localhost" || cfg.Log.MaxFiles != 5 || cfg.Log.MaxSizeMB != 4 || cfg.Log.FileLevel.String() != "DEBUG" {
		t.Errorf("got %+v", cfg)
	}
	if got := cfg.motion.Avatars; got["a"]["mesh"] != "m" || got["b"]["mesh"] != "other" || got["b"]["restpose"] != "r" {
		t.Errorf("got avatars %v", got)
	}
}

// warningsOf returns the warnings for an environment. Environ lists all its
// variables.
func warningsOf(t *testing.T, file string, variables map[string]string) []string {
	t.Helper()
	names := slices.Sorted(maps.Keys(variables))
	report := Examine(Sources{File: file, Getenv: environment(variables), Environ: func() (lines []string) {
		for _, name := range names {
			lines = append(lines, name+"="+variables[name])
		}
		return lines
	}})
	if len(report.Faults) > 0 {
		t.Fatal(report.Faults)
	}
	return report.Config.Warnings
}

func TestLoad_UnknownVariables(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"WEB_BACKEND_PROT": "WEB_BACKEND_PORT", "MONGODB_USERNAME_FILE": "set MONGODB_USERNAME itself", "MONGODB_USER": "MONGODB_USERNAME",
		"MONGODB_PASSWD": "MONGODB_PASSWORD", "WEB_BACKEND_MONGODB_HOST": "MONGODB_HOST", "WEB_BACKEND_LOGGER_CFG_LOGGER_PATH": "WEB_BACKEND_LOG_PATH",
		"WEB_BACKEND_ACESS": "WEB_BACKEND_ACCESS", "WEB_BACKEND_OPERATOR_TOKENS_FILE": "WEB_BACKEND_OPERATOR_TOKEN_FILE",
		"WEB_BACKEND_TIMEZONE": "WEB_BACKEND_DEFAULT_TIMEZONE", "WEB_BACKEND_DATADIR": "WEB_BACKEND_DATA_DIR", "MONGODB_": "ignored", "MONGODB_Z0123456789": "ignored",
	} {
		got := warningsOf(t, "", map[string]string{name: secretText})
		if len(got) != 1 || !strings.HasPrefix(got[0], "environment variable "+name+": is not a variable of this server and is ignored") ||
			!strings.Contains(got[0], want) || strings.Contains(got[0], secretText) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	module := writeFile(t, "c.py", "import os\nhost = os.environ.get('WEB_BACKEND_ADDRESS')\n")
	for _, variables := range []map[string]string{
		{"WEB_BACKEND_PROT": ""}, {"PATH": "x"}, {"WEB_BACKEND_PASSPHRASE_FILE": "x"}, {"WEB_BACKEND_ADDRESS": "localhost"}, {"WEB_BACKEND_PORT": "81"},
		{"WEB_BACKEND_SERVICE_HOST": "10.0.0.1", "WEB_BACKEND_SERVICE_PORT": "80", "WEB_BACKEND_SERVICE_PORT_HTTP": "80",
			"WEB_BACKEND_PORT_80_TCP": "tcp://10.0.0.1:80", "WEB_BACKEND_PORT_80_TCP_ADDR": "10.0.0.1", "MONGODB_HEADLESS_PORT": "tcp://10.0.0.1:80"},
	} {
		if got := warningsOf(t, module, variables); len(got) > 0 {
			t.Errorf("%v: got %q", variables, got)
		}
	}
}

// If MongoDB seems to be intended but no server is configured, a warning says
// where the data is stored instead.
func TestLoad_NoServerOfMongoDB(t *testing.T) {
	t.Parallel()
	module := writeFile(t, "c.py", "import os\nmongodb_host = os.getenv('MONGODB_HOST')\nmongodb_port = int(os.getenv('MONGODB_PORT', '27017'))\n")
	empty := writeFile(t, "c.py", "import os\nmongodb_host = os.getenv('MONGODB_HOST', '')\n")
	yaml := writeFile(t, "c.yaml", "mongodb_username: web\n")
	tests := []struct {
		file      string
		variables map[string]string
		want      string
	}{
		{"", map[string]string{"MONGODB_ADMIN_PASSWORD": secretText}, "mongodb_admin_password is set (environment variable MONGODB_ADMIN_PASSWORD)"},
		{module, nil, "mongodb_host has no value (" + module + ":2)"},
		{empty, nil, "mongodb_host has no value (" + empty + ":2)"},
		{yaml, nil, "mongodb_username is set (" + yaml + ":1)"},
		{"", map[string]string{"MONGODB_ADMIN_PASSWORD": secretText, "WEB_BACKEND_STORE": "embedded"}, ""},
		{"", map[string]string{"MONGODB_PORT": "27017"}, ""},
		{"", map[string]string{"MONGODB_HOST": ""}, ""},
		{module, map[string]string{"MONGODB_HOST": "localhost"}, ""},
		{localFile, nil, ""},
	}
	for _, tt := range tests {
		got := warningsOf(t, tt.file, tt.variables)
		if tt.want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || tt.want == "" || !strings.HasPrefix(got[0], "store: no MongoDB server is named") || !strings.Contains(got[0], tt.want) ||
			strings.Contains(got[0], secretText) {
			t.Errorf("%s, %v: got %q, want %q", tt.file, tt.variables, got, tt.want)
		}
	}
}
