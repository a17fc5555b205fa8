package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entries returns the paths of everything below folder.
func entries(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "file", "no folder, no JSON")
	tests := []struct {
		name, yaml string
		env        map[string]string
		status     int
		out        []string
		err        []string
	}{
		{"nothing", "", nil, 0, []string{"the configuration has no faults"}, nil},
		{"warning", "mongodb_host: db", map[string]string{"WEB_BACKEND_MASTER_KEY": strings.Repeat("0", 64)}, 0,
			[]string{"warning: master_key: has no effect on store mongodb", "the configuration has no faults"}, nil},
		{"MongoDB without TLS", "mongodb_host: db", nil, 0, []string{"warning: mongodb_host: the connection to a MongoDB server on another machine"}, nil},
		{"no authority", "{mongodb_host: db, mongodb_tls: true, mongodb_tls_ca_file: /none.pem}", nil, 1, nil, []string{"has a fault: mongodb_tls_ca_file: open /none.pem"}},
		{"no certificate", "{mongodb_host: db, mongodb_tls: true, mongodb_tls_ca_file: " + file + "}", nil, 1, nil, []string{file + " holds no certificate in PEM form"}},
		{"Kubernetes", "", map[string]string{"WEB_BACKEND_PORT": "tcp://10.0.0.1:80"}, 0, []string{"warning: environment variable WEB_BACKEND_PORT"}, nil},
		{"one", "default_user_config_path: /none.json", nil, 1, nil, []string{"has a fault: default_user_config_path: open /none.json"}},
		{"all at once", "prot: 1\ndefault_character_config_paths: [/none.json, " + file + "]\ntls_cert: /no.crt\ntls_key: /no.key\nbackup: {every: 1h, dir: " + file + "/x}",
			map[string]string{"WEB_BACKEND_DATA_DIR": file, "WEB_BACKEND_LOG_PATH": filepath.Dir(file)}, 1, nil,
			[]string{"has 7 faults:", "prot: unknown key", "default_character_config_paths: open /none.json", "default_character_config_paths: " + file,
				"tls_cert, tls_key: open /no.crt", "logger_cfg.logger_path: open ", "data_dir: " + file + " is not a folder", "backup.dir: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := writeFile(t, "c.yaml", tt.yaml)
			got := run(t, folder, tt.env, "config", "check", "--config_path", path)
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			for _, want := range tt.out {
				if !strings.Contains(got.out, want) {
					t.Errorf("printed %q, want %q", got.out, want)
				}
			}
			for _, want := range tt.err {
				if !strings.Contains(got.err, want) {
					t.Errorf("the error %q lacks %q", got.err, want)
				}
			}
			var verdict struct {
				OK               bool
				Faults, Warnings []string
			}
			got = run(t, folder, tt.env, "config", "check", "--json", "--config_path", path)
			if err := json.Unmarshal([]byte(got.out), &verdict); err != nil || verdict.OK != (tt.status == 0) ||
				verdict.OK != (len(verdict.Faults) == 0) || verdict.Faults == nil || verdict.Warnings == nil || got.status != tt.status {
				t.Errorf("--json gave %d, %q, %v", got.status, got.out, err)
			}
			if left := entries(t, folder); len(left) != 1 {
				t.Errorf("the check made %q", left)
			}
		})
	}
}

func TestConfigCheck_OperatorTokenFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "operator.token"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, folder, map[string]string{"WEB_BACKEND_DATA_DIR": folder}, "config", "check")
	if got.status != 1 || !strings.Contains(got.err, "operator token: ") || strings.Contains(got.err, "short") {
		t.Errorf("got %+v", got)
	}
}

func TestConfigExplain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	python := writeFile(t, "local.py", "import os\nport = 81\nmongodb_password = '"+secretText+"'\naws_region = dict(a=1)\n")
	got := run(t, folder, nil, "config", "explain", "--config_path", python, "--host", "0.0.0.0")
	for _, want := range []string{
		"KEY  ", "\nhost    ", "  0.0.0.0  ", "  flag --host ", "  environment variable WEB_BACKEND_PORT  ",
		"mongodb_password                ***  ", python + ":3", "warning: " + python + ":4: aws_region: is not a key",
		"\nThe same as YAML", "\nhost: 0.0.0.0\n", "#   mongodb_password: MONGODB_PASSWORD or MONGODB_PASSWORD_FILE (now from " + python + ":3)",
		"#   aws_region (" + python + ":4)",
	} {
		if got.status != 0 || !strings.Contains(got.out, want) {
			t.Errorf("status %d, the output lacks %q:\n%s%s", got.status, want, got.out, got.err)
		}
	}
	if strings.Contains(got.out, secretText) {
		t.Errorf("a secret is shown:\n%s", got.out)
	}
	yaml := run(t, folder, nil, "config", "explain", "--yaml", "--config_path", python)
	if !strings.HasPrefix(yaml.out, "port: 0\n") || strings.Contains(yaml.out, secretText) {
		t.Errorf("--yaml gave %+v", yaml)
	}
	if again := run(t, folder, nil, "config", "check", "--config_path", writeFile(t, "c.yaml", yaml.out)); again.status != 0 {
		t.Errorf("the YAML is not taken: %+v", again)
	}
	if left := entries(t, folder); len(left) != 1 {
		t.Errorf("explain made %q", left)
	}
}

func TestConfigExplain_Keys(t *testing.T) {
	t.Parallel()
	var response struct {
		Keys []struct {
			Key, Value, Source, Default, Variable string
			Secret                                bool
		}
	}
	got := run(t, t.TempDir(), map[string]string{"MONGODB_PASSWORD": secretText}, "config", "explain", "--json", "logger_cfg", "mongodb_password")
	if err := json.Unmarshal([]byte(got.out), &response); err != nil || len(response.Keys) != 6 {
		t.Fatalf("got %+v, %v", got, err)
	}
	last := response.Keys[5]
	if last.Key != "mongodb_password" || last.Value != "***" || !last.Secret || last.Source != "environment variable MONGODB_PASSWORD" {
		t.Errorf("got %+v", last)
	}
	for _, args := range [][]string{{"prot"}, {"--yaml", "port"}, {"--config_path", writeFile(t, "c.yaml", "prot: 1")}} {
		if got := run(t, t.TempDir(), nil, append([]string{"config", "explain"}, args...)...); got.status != 1 || got.err == "" || got.out != "" {
			t.Errorf("%v: got %+v", args, got)
		}
	}
}

// One long value does not widen its column, and is printed in full.
func TestConfigExplain_LongValue(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("https://origin.example,", 30)
	got := run(t, t.TempDir(), map[string]string{"WEB_BACKEND_ENABLE_CORS": "true", "WEB_BACKEND_CORS_ORIGINS": long}, "config", "explain")
	if !strings.Contains(got.out, strings.ReplaceAll(strings.TrimSuffix(long, ","), ",", ", ")+"  environment variable WEB_BACKEND_CORS_ORIGINS") {
		t.Errorf("the value is not there: %s%s", got.out, got.err)
	}
	const most = 200 // characters of a row
	for line := range strings.Lines(got.out) {
		if len(line) > most && !strings.HasPrefix(line, "cors_origins ") {
			t.Errorf("a row has %d letters: %s", len(line), line)
		}
	}
}
