package config

import (
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A module like those of the original's teams must load unchanged.
func TestLoad_PythonModuleOfTheOriginal(t *testing.T) {
	t.Parallel()
	const file = "testdata/local.py"
	cfg, err := Load(Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Port, want.EnableCORS = 0, true
	want.DefaultCharacterConfigPaths = []string{"characters/first.json", "characters/second.json"}
	want.Log.Path, want.Log.FileLevel = "logs/web_backend.log", slog.LevelDebug
	want.MongoDB.Username, want.MongoDB.Database = "web_user", "web_database"
	want.MongoDB.Password = cfg.MongoDB.Password
	want.Warnings = []string{
		file + ":25: aws_region: is not a key of this server and is ignored",
		file + ":29: logger_cfg.logger_name: is not a key of this server and is ignored",
		file + ":29: logger_cfg.aws_level: is not a key of this server and is ignored",
		"store: no MongoDB server is named, so users and characters are kept in the embedded store in data, though mongodb_host has no value (" +
			file + ":15), mongodb_username is set (" + file + ":17), mongodb_password is set (" + file + ":18), mongodb_database is set (" + file +
			":19); set MONGODB_HOST or MONGODB_URI, or store: embedded (WEB_BACKEND_STORE) if that is meant",
	}
	want.Motion, want.motion = cfg.Motion, cfg.motion // checked by TestLoad_MotionOfTheOriginal
	if cfg.Motion == nil || cfg.Motion.ClipFiles["17"] != "motion/17.npz" {
		t.Errorf("motion files: %+v", cfg.Motion)
	}
	if cfg.MongoDB.Password.Reveal() != "stands-in-the-file" || !reflect.DeepEqual(cfg, want) {
		t.Errorf(" got %+v\nwant %+v", cfg, want)
	}
	// The variables that the module reads, and those that override it.
	cfg, err = Load(Sources{File: file, Getenv: environment(map[string]string{
		"MONGODB_HOST": "db", "MONGODB_PORT": "27018", "MONGODB_PASSWORD": secretText, "WEB_BACKEND_LOG_FILE_LEVEL": "ERROR",
	})})
	if err != nil || cfg.Store != StoreMongoDB || cfg.MongoDB.Host != "db" || cfg.MongoDB.Port != 27018 ||
		cfg.MongoDB.Password.Reveal() != secretText || cfg.Log.FileLevel != slog.LevelError {
		t.Errorf("with an environment: %+v, %v", cfg, err)
	}
}

func TestLoad_PythonFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, module string
		want         []string
	}{
		{"empty", "", nil},
		{"None is not given", "port = None\nlogger_cfg = None", nil},
		{"number too large", "port = 70000", []string{`c.py:1: port: "70000" is not allowed; want a whole number from 0 to 65535`}},
		{"text for a number", "\nport = '80'", []string{`c.py:2: port: "80" is not allowed; want a whole number`}},
		{"fraction", "port = 80.5", []string{`c.py:1: port: a number with a fraction is not allowed; want a whole number`}},
		{"computed", "import os\nport = os.getenv('SECRET')", []string{"c.py:2: port: a text is not allowed; want a whole number"}},
		{"number for a truth value", "enable_cors = 1", []string{`c.py:1: enable_cors: "1" is not allowed; want true or false`}},
		{"list", "cors_origins = ['a']", []string{"c.py:1: cors_origins: entry 1 is not allowed; want a list of origins"}},
		{"text for a list", "cors_origins = 'https://a.example'", []string{`c.py:1: cors_origins: "https://a.example" is not allowed; want a list`}},
		{"dict for a list", "cors_origins = {}", []string{"c.py:1: cors_origins: a dict is not allowed; want a list"}},
		{"section", "logger_cfg = 5", []string{"c.py:1: logger_cfg: want a dict of keys with values"}},
		{"key of a section", "logger_cfg = {1: 2}", []string{"c.py:1: logger_cfg: want keys that are texts"}},
		{"value in a section", "logger_cfg = dict(file_level=15)", []string{"c.py:1: logger_cfg.file_level: a whole number is not allowed; want DEBUG"}},
		{"other module", "import socket\nhost = socket.gethostname()", []string{"c.py:2: host: has no value: it comes from module socket"}},
		{"missing variable", "import os\nmongodb_password = os.environ['NOT_THERE']", []string{
			"c.py:2: mongodb_password: has no value: the environment variable NOT_THERE is not set"}},
		{"number for a secret", "mongodb_password = 12345", []string{"c.py:1: mongodb_password: a whole number is not allowed; want a text"}},
		{"all at once", "port = -1\nhost = open('a')\nstore = 'redis'", []string{
			"c.py:2: the name at column 8 is not defined", "c.py:1: port: ", `c.py:3: store: "redis" is not allowed`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, Sources{
				File: writeFile(t, "c.py", tt.module), Getenv: environment(map[string]string{"SECRET": secretText}),
			})
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("module %q\n got %q\nwant %q", tt.module, got, tt.want)
			}
		})
	}
}

// No fault or warning may show a password from the module or the environment.
func TestLoad_NoSecretInPythonFaults(t *testing.T) {
	t.Parallel()
	for _, module := range []string{
		"mongodb_password = hunter2_s3cret", "mongodb_password = 'SECRET", "mongodb_password = f'SECRET'", "mongodb_password = 'SECRET' 'b'",
		"mongodb_password = ['SECRET']", "mongodb_password = 'SECRET' + 1", "mongodb_password = int('SECRET')", "x = {'a': 1}['SECRET']",
		"import os\nport = os.environ['S']", "import os\nport = int(os.environ['S'])", "import os\nhost = [os.environ['S']]",
		"import os\ncors_origins = [os.environ['S']]", "import os\nstore = os.environ['S']", "import os\nx = os.environ['S'] % 5 + 1",
		"import os\nmongodb_password = os.environ['S']\nport = -1", "master_key = 'SECRET'", "operator_token = 'SECRET'",
		"mongodb_password = b'SECRET'", "mongodb_password = 'SECRET'.foo()", "mongodb_password = SECRET@b", "import os\nx = 'a'.index(os.environ['S'])",
	} {
		module = strings.NewReplacer("SECRET", secretText, "hunter2_s3cret", strings.ReplaceAll(secretText, "-", "_")).Replace(module)
		report := Examine(Sources{File: writeFile(t, "c.py", module), Getenv: environment(map[string]string{"S": secretText})})
		if len(report.Faults) == 0 {
			t.Errorf("module %q has no fault", module)
		}
		text := report.Faults.Error() + strings.Join(report.Config.Warnings, "\n")
		if strings.Contains(text, secretText) || strings.Contains(text, "hunter2") {
			t.Errorf("module %q\n%s", module, text)
		}
	}
}

func TestLoad_NewKeys(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "", "/": "", "/x": "/x", "/x/": "/x", "/a.b/c-d_~": "/a.b/c-d_~"} {
		cfg, err := Load(Sources{File: writeFile(t, "c.yaml", "base_path: \""+given+"\"")})
		if err != nil || cfg.BasePath != want {
			t.Errorf("base_path %q gave %v, %v", given, cfg, err)
		}
	}
	for _, line := range []string{
		"base_path: x", "base_path: //x", "base_path: /x//", "base_path: /x//y", "base_path: /./x", "base_path: /x/..", "base_path: '/x?y'",
		"base_path: '/x#y'", "base_path: /x%2F", "base_path: '/x y'", "base_path: '/{x}'", "base_path: \"/x\\ny\"",
		"debug_address: '6060'", "debug_address: ':6060'", "debug_address: localhost", "debug_address: a:70000", "debug_address: a:http",
		"tls_cert: a.pem", "tls_key: a.pem",
	} {
		if got := faultsOf(t, Sources{File: writeFile(t, "c.yaml", line)}); len(got) != 1 {
			t.Errorf("%s: faults %q, want one", line, got)
		}
	}
	for _, line := range []string{"debug_address: 127.0.0.1:6060", "debug_address: '[::1]:0'", "debug_address: ''", "{tls_cert: a, tls_key: b}"} {
		if got := faultsOf(t, Sources{File: writeFile(t, "c.yaml", line)}); len(got) != 0 {
			t.Errorf("%s: faults %q", line, got)
		}
	}
}

// Kubernetes sets these variables in a pod if there is a service named
// web-backend or mongodb.
func TestLoad_KubernetesServiceLinks(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Sources{
		File: writeFile(t, "c.yaml", "port: 81"),
		Getenv: environment(map[string]string{
			"WEB_BACKEND_PORT": "tcp://10.0.0.1:80", "MONGODB_PORT": "tcp://[fd00::1]:27017", "WEB_BACKEND_SERVICE_HOST": "10.0.0.1",
		}),
	})
	if err != nil || cfg.Port != 81 || cfg.MongoDB.Port != 27017 || len(cfg.Warnings) != 2 ||
		!strings.HasPrefix(cfg.Warnings[0], "environment variable WEB_BACKEND_PORT: is ignored: Kubernetes set it") {
		t.Errorf("got %+v, %v", cfg, err)
	}
	for _, text := range []string{"tcp://", "http://10.0.0.1:80", "tcp://10.0.0.1:80/x"} {
		if _, err := Load(Sources{Getenv: environment(map[string]string{"WEB_BACKEND_PORT": text})}); err == nil {
			t.Errorf("WEB_BACKEND_PORT=%s is taken", text)
		}
	}
}
