package config

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
)

func TestExamine_Sources(t *testing.T) {
	t.Parallel()
	password := writeFile(t, "password", secretText+"\n")
	file := writeFile(t, "c.yaml", "host: 0.0.0.0\nlogger_cfg:\n  max_files: 7\nport: 81\ncors_origins: [https://a.example]\nmongodb_host: db\n"+
		"default_user_config_path: https://ada:hunter2@files.example/a\n")
	report := Examine(Sources{
		File: file,
		Getenv: environment(map[string]string{
			"WEB_BACKEND_PORT": "82", "WEB_BACKEND_ENABLE_CORS": "true", "MONGODB_PASSWORD_FILE": password, "MONGODB_URI": "mongodb://u:" + secretText + "@h",
		}),
		Flags: map[string]string{"data_dir": "elsewhere"},
	})
	if len(report.Faults) > 0 {
		t.Fatal(report.Faults)
	}
	want := map[string][3]string{ // value, source, default
		"store":                    {"mongodb", "mongodb_host is set", "embedded"},
		"host":                     {"0.0.0.0", file + ":1", "127.0.0.1"},
		"logger_cfg.max_files":     {"7", file + ":3", "5"},
		"port":                     {"82", "environment variable WEB_BACKEND_PORT", "18080"},
		"cors_origins":             {"https://a.example", file + ":5", ""},
		"data_dir":                 {"elsewhere", "flag --data-dir", "data"},
		"mongodb_password":         {"***", "file " + password + ", named by MONGODB_PASSWORD_FILE", ""},
		"mongodb_uri":              {"***", "environment variable MONGODB_URI", ""},
		"mongodb_admin_password":   {"", "default", ""},
		"logger_cfg.console_level": {"INFO", "default", "INFO"},
		"default_user_config_path": {"https://***@files.example/a", file + ":7", ""},
	}
	for _, e := range report.Entries() {
		if w, ok := want[e.Key]; ok && w != [3]string{e.Value, e.Source, e.Default} {
			t.Errorf("%s: got %+v, want %q", e.Key, e, w)
		}
		delete(want, e.Key)
	}
	text, err := report.YAML()
	if len(want) > 0 || err != nil {
		t.Errorf("no entry for %v, error %v", want, err)
	}
	if shown := text + fmt.Sprintf("%+v", report.Entries()); strings.Contains(shown, "hunter2") {
		t.Errorf("a secret is shown: %s", shown)
	}
}

// The output of YAML must load to the same configuration if the secrets are
// added.
func TestReport_YAMLRoundTrip(t *testing.T) {
	t.Parallel()
	sources := map[string]Sources{
		"nothing": {},
		"python":  {File: "testdata/local.py", Getenv: environment(map[string]string{"MONGODB_HOST": "db", "AWS_REGION": "x"})},
		"embedded": {File: writeFile(t, "c.yaml", "store: embedded\nmongodb_host: db\nlogger_cfg: {logger_path: \"\", file_level: 30}\n"+
			"enable_cors: true\ncors_origins: [https://a.example, 'http://b.example:8080']\nbackup: {every: 24h, keep: 3}\n"+
			"base_path: /x/\ndata_dir: 'yes'\nhost: 'on'\nmongodb_username: \"a: b # c\"\nmongodb_admin_username: ''\n"+
			"default_character_config_paths: ['a,b.json', 'null', '~']\ntoken_lifetime: 90m\n")},
		"TLS":       {Getenv: environment(map[string]string{"MONGODB_HOST": "h", "MONGODB_TLS": "true", "MONGODB_TLS_CA_FILE": "ca.pem"})},
		"secrets":   {Getenv: environment(map[string]string{"MONGODB_URI": "mongodb://u:" + secretText + "@h", "MONGODB_PASSWORD": secretText})},
		"every key": everyKey(t),
		"community": {File: "testdata/motion_community.py"},
		"online":    {File: "testdata/motion_online.py", Getenv: environment(onlineVariables)},
		"dict in YAML": {File: "testdata/motion_online.yaml", Getenv: environment(map[string]string{
			"WEB_BACKEND_MOTION_MYSQL_PASSWORD": secretText, "WEB_BACKEND_MOTION_S3_SECRET_KEY": secretText,
		})},
		"avatars": {File: writeFile(t, "c.yaml", "motion: {data_dir: 'no', strict: true, avatars: {'1': {restpose: a, mesh: b, blendshapes: c}}}")},
	}
	for name, sources := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Examine(sources)
			if len(report.Faults) > 0 {
				t.Fatal(report.Faults)
			}
			text, err := report.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, secretText) || strings.Contains(text, "stands-in-the-file") {
				t.Errorf("the YAML holds a secret:\n%s", text)
			}
			secrets := map[string]string{}
			for _, s := range report.Config.settings() {
				if target, ok := s.value.target.(*backend.Secret); ok && target.IsSet() {
					secrets[s.env] = target.Reveal()
					if !strings.Contains(text, "#   "+s.key+": "+s.env+" or "+s.env+"_FILE (now from ") {
						t.Errorf("the YAML does not say where %s goes:\n%s", s.key, text)
					}
				}
			}
			again, err := Load(Sources{File: writeFile(t, "c.yaml", text), Getenv: environment(secrets)})
			if err != nil {
				t.Fatalf("%v, in\n%s", err, text)
			}
			again.Warnings, report.Config.Warnings = nil, nil
			if !reflect.DeepEqual(again, report.Config) {
				t.Errorf(" got %+v\nwant %+v, from\n%s", again, report.Config, text)
			}
		})
	}
}

// everyKey sets each key to a value other than its default.
func everyKey(t *testing.T) Sources {
	t.Helper()
	variables := map[string]string{
		"WEB_BACKEND_STORE": "mongodb", "WEB_BACKEND_ACCESS": "strict", "WEB_BACKEND_REGISTRATION": "closed", "WEB_BACKEND_ENABLE_CORS": "true",
		"WEB_BACKEND_LOCAL_OPERATOR": "false", "WEB_BACKEND_DEFAULT_TIMEZONE": "Europe/Berlin",
		"WEB_BACKEND_CORS_ORIGINS": "https://a.example", "WEB_BACKEND_TRUSTED_PROXIES": "10.0.0.0/8", "WEB_BACKEND_BASE_PATH": "/x",
		"WEB_BACKEND_DEBUG_ADDRESS": "127.0.0.1:1", "WEB_BACKEND_MASTER_KEY": strings.Repeat("0", 64),
		"WEB_BACKEND_OPERATOR_TOKEN": strings.Repeat("t", 20), "WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB": "20000",
		"MONGODB_URI":                   "mongodb://h",
		"WEB_BACKEND_MOTION_FLOAT_TYPE": "float16", "WEB_BACKEND_MOTION_STRICT": "true", "WEB_BACKEND_MOTION_S3_TLS": "true",
		"WEB_BACKEND_MOTION_S3_ENDPOINT": "oss:9000",
	}
	notWithURI := []string{"mongodb_tls", "mongodb_tls_ca_file"}
	for _, s := range Default().settings() {
		switch target := s.value.target.(type) {
		case *string, *[]string, *backend.Secret:
			if variables[s.env] == "" && s.env != "" && !slices.Contains(notWithURI, s.key) {
				variables[s.env] = "other"
			}
		case *int:
			if variables[s.env] == "" {
				variables[s.env] = fmt.Sprint(*target + 1)
			}
		case *time.Duration:
			variables[s.env] = (*target + 1e9).String()
		case *slog.Level:
			variables[s.env] = "WARNING"
		}
	}
	sources := Sources{Getenv: environment(variables)}
	report := Examine(sources)
	for _, e := range report.Entries() {
		if !e.differs && e.Variable != "" && !slices.Contains(notWithURI, e.Key) {
			t.Errorf("%s is still its default", e.Key)
		}
	}
	return sources
}

// Entry must mark exactly the fields that hold a secret.
func TestEntry_Secret(t *testing.T) {
	t.Parallel()
	for i, e := range Examine(Sources{}).Entries() {
		if _, ok := Default().settings()[i].value.target.(*backend.Secret); e.Secret != ok {
			t.Errorf("%s: secret is %v", e.Key, e.Secret)
		}
	}
}
