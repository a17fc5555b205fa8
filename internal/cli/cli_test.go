package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"web-backend/internal/cli"
)

const secretText = "hunter2-s3cret"

// result is the exit status and output of a command.
type result struct {
	status   int
	out, err string
}

// run runs the command line with a context that has already ended, so that a
// server stops as soon as it has started. The files are in folder.
func run(t *testing.T, folder string, env map[string]string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return runUntil(ctx, folder, env, args...)
}

// runUntil does the same as run, with a context that the caller ends.
func runUntil(ctx context.Context, folder string, env map[string]string, args ...string) result {
	variables := map[string]string{
		"WEB_BACKEND_PORT":     "0",
		"WEB_BACKEND_DATA_DIR": filepath.Join(folder, "env-data"),
		"WEB_BACKEND_LOG_PATH": filepath.Join(folder, "env-logs", "server.log"),
	}
	maps.Copy(variables, env)
	var out, errors bytes.Buffer
	status := cli.Main(ctx, args, cli.Streams{Out: &out, Err: &errors, Getenv: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}})
	return result{status, out.String(), errors.String()}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMain_Version(t *testing.T) {
	t.Parallel()
	got := run(t, t.TempDir(), nil, "version")
	want := regexp.MustCompile(`^web-backend \S+, commit \S+, ` + regexp.QuoteMeta(runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH) + "\n$")
	if got.status != 0 || !want.MatchString(got.out) || got.err != "" {
		t.Errorf("got %+v, want %v", got, want)
	}
}

func TestMain_Help(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"serve", "version", "users, characters, provider keys"}},
		{[]string{"-h"}, []string{"serve", "version"}},
		{[]string{"serve", "--help"}, []string{"--config_path", "--host", "--port", "--data-dir"}},
		{[]string{"version", "--help"}, []string{"commit"}},
	} {
		folder := t.TempDir()
		got := run(t, folder, nil, tt.args...)
		if got.status != 0 || got.err != "" {
			t.Errorf("%q: got %+v", tt.args, got)
		}
		for _, want := range tt.want {
			if !strings.Contains(got.out, want) {
				t.Errorf("%q: %q lacks %q", tt.args, got.out, want)
			}
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("%q: something was started: %v, %v", tt.args, entries, err)
		}
	}
}

// helpNamed matches the end of the error for a wrong command line.
var helpNamed = regexp.MustCompile(`; see web-backend( [a-z-]+)* --help\n$`)

func TestMain_WrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nonsense"}, {"--nonsense"}, {"serve", "--nonsense"}, {"version", "more"}, {"serve", "--port"}, {"--data-dir"},
		{"serve", "serve"}, {"Serve"}, {""},
	} {
		got := run(t, t.TempDir(), nil, args...)
		if got.status != 2 || got.out != "" || !strings.HasPrefix(got.err, "web-backend: ") ||
			!helpNamed.MatchString(got.err) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

// For a mistyped word, the error suggests the nearest known word and names the
// command whose help to read.
func TestMain_Suggests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"usr", `unknown command "usr", did you mean "user"?; see web-backend --help`},
		{"serv", `unknown command "serv", did you mean "serve"?; see web-backend --help`},
		{"SERVE --port 0", `unknown command "SERVE"; see web-backend --help`},
		{"k", `unknown command "k", did you mean "keys"?; see web-backend --help`},
		{"nothing-near", `unknown command "nothing-near"; see web-backend --help`},
		{"complete", `unknown command "complete"; see web-backend --help`}, // not "__complete", which only scripts call
		{"user lst", `unexpected argument lst, did you mean "list"?; see web-backend user --help`},
		{"--hots x", `unknown flag --hots, did you mean "--host"?; see web-backend serve --help`},
		{"user list --jsn", `unknown flag --jsn, did you mean "--json"?; see web-backend user list --help`},
		{"keys doctor more", `an argument too many; see web-backend keys doctor --help`},
		{"copy mongodb://ada:" + secretText + "@db.example/web data", `an argument too many; see web-backend copy --help`},
		{"user set-password ada " + secretText, `an argument too many; see web-backend user set-password --help`},
		{"user set-key ada openai_key", `user set-key: there is no provider key of this name, did you mean openai_api_key?; see web-backend user set-key --help`},
		{"user unset-key --username ada openai_api", `user unset-key: there is no provider key of this name, did you mean openai_api_key?; see web-backend user unset-key --help`},
		{"user set-key ada openai_api_key " + secretText, `an argument too many; see web-backend user set-key --help`},
		{"serve --port 0 more", `an argument too many; see web-backend serve --help`},
	} {
		got := run(t, t.TempDir(), nil, strings.Fields(tt.args)...)
		if got.status != 2 || got.out != "" || got.err != "web-backend: "+tt.want+"\n" {
			t.Errorf("%q: got %+v, want %q", tt.args, got, tt.want)
		}
	}
}

func TestMain_VersionJSON(t *testing.T) {
	t.Parallel()
	got := run(t, t.TempDir(), nil, "version", "--json")
	var version struct{ Version, Commit, Go, OS, Arch string }
	if err := json.Unmarshal([]byte(got.out), &version); err != nil || got.status != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if version.Version == "" || version.Commit == "" || version.Go != runtime.Version() || version.OS != runtime.GOOS || version.Arch != runtime.GOARCH {
		t.Errorf("got %+v", version)
	}
}

func TestMain_ServeIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"serve"}, {"--host", "127.0.0.1"}, {"serve", "--host=127.0.0.1"}} {
		got := run(t, t.TempDir(), nil, args...)
		if got.status != 0 || !strings.HasPrefix(got.out, "web-backend is listening on http://127.0.0.1:") {
			t.Errorf("%q: got %+v", args, got)
		}
		if !strings.Contains(got.err, "server stopped") {
			t.Errorf("%q: the log is %s", args, got.err)
		}
	}
}

func TestMain_PrecedenceAndSpellings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := writeFile(t, "c.yaml", "host: 127.0.0.2\ndata_dir: "+filepath.Join(folder, "file-data")+"\n")
	tests := []struct {
		name       string
		env        map[string]string
		args       []string
		host, data string
	}{
		{"environment", nil, nil, "127.0.0.1", "env-data"},
		{"environment over file", map[string]string{"WEB_BACKEND_HOST": "127.0.0.1"}, []string{"--config_path", file}, "127.0.0.1", "env-data"},
		{"flags over environment", map[string]string{"WEB_BACKEND_HOST": "192.0.2.1"},
			[]string{"--host", "127.0.0.1", "--port", "0", "--data-dir", filepath.Join(folder, "flag-data")}, "127.0.0.1", "flag-data"},
		{"data_dir", nil, []string{"--data_dir=" + filepath.Join(folder, "underscore")}, "127.0.0.1", "underscore"},
	}
	if runtime.GOOS == "linux" { // other systems only have 127.0.0.1
		for _, flag := range []string{"--config_path", "--config-path", "--config"} {
			tests = append(tests, tests[0])
			tests[len(tests)-1].name, tests[len(tests)-1].args, tests[len(tests)-1].host = flag, []string{flag, file}, "127.0.0.2"
		}
	}
	for _, tt := range tests { // not parallel: they share a data folder
		got := run(t, folder, tt.env, tt.args...)
		if got.status != 0 || !strings.Contains(got.out, "listening on http://"+tt.host+":") ||
			!strings.Contains(got.out, filepath.Join(folder, tt.data)+string(filepath.Separator)) ||
			!strings.Contains(got.out, filepath.Join(folder, "env-logs", "server.log")) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

// A bad value is an error even if a flag overrides it.
func TestMain_BadEnvironmentBelowAFlag(t *testing.T) {
	t.Parallel()
	got := run(t, t.TempDir(), map[string]string{"WEB_BACKEND_PORT": "x"}, "--port", "0")
	if got.status != 1 || !strings.Contains(got.err, `WEB_BACKEND_PORT: "x" is not allowed`) {
		t.Errorf("got %+v", got)
	}
}

func TestMain_BadConfiguration(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "c.yaml", "prot: 1\nstore: redis\nmongodb_password: 12345\n")
	got := run(t, t.TempDir(), map[string]string{"WEB_BACKEND_ENABLE_CORS": "maybe"}, "--config", file, "--port", "70000")
	if got.status != 1 || got.out != "" || !strings.HasPrefix(got.err, "web-backend: the configuration has 5 faults:\n") {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{file + ":1: prot: unknown key", file + `:2: store: "redis"`, file + ":3: mongodb_password: ***",
		`WEB_BACKEND_ENABLE_CORS: "maybe"`, `--port: "70000"`} {
		if !strings.Contains(got.err, want) {
			t.Errorf("%q lacks %q", got.err, want)
		}
	}
}

// Every error at the start is one line that names the problem and shows no
// secret.
func TestMain_CannotStart(t *testing.T) {
	t.Parallel()
	const valid = `{"character_name": "A", "scene_name": "vast", "tts_adapter": "t", "voice": "", "avatar": "KQ-default",
		"asr_adapter": "a", "classification_adapter": "c", "conversation_adapter": "c", "prompt": "p", "reaction_adapter": "r",
		"memory_adapter": "m"}`
	character := func(t *testing.T, content string) map[string]string {
		return map[string]string{"WEB_BACKEND_DEFAULT_CHARACTER_CONFIG_PATHS": writeFile(t, "good.json", valid) + "," + writeFile(t, "bad.json", content)}
	}
	user := func(t *testing.T, content string) map[string]string {
		return map[string]string{"WEB_BACKEND_DEFAULT_USER_CONFIG_PATH": writeFile(t, "user.json", content)}
	}
	tests := []struct {
		name string
		env  func(*testing.T) map[string]string
		want []string
	}{
		{"no configuration file", func(*testing.T) map[string]string { return nil }, []string{"configuration file", "none.yaml"}},
		{"store mongodb without a server", func(*testing.T) map[string]string {
			return map[string]string{"WEB_BACKEND_STORE": "mongodb"}
		}, []string{"mongodb needs a server", "mongodb_host or mongodb_uri"}},

		{"character without a field", func(t *testing.T) map[string]string {
			return character(t, strings.Replace(valid, `"avatar"`, `"character_name"`, 1))
		}, []string{"bad.json", `"avatar"`, "missing"}},
		{"character with an unknown field", func(t *testing.T) map[string]string {
			return character(t, strings.Replace(valid, `{`, `{"avatr": "x", `, 1))
		}, []string{"bad.json", `"avatr"`}},
		{"character with a wrong type", func(t *testing.T) map[string]string {
			return character(t, strings.Replace(valid, `{`, `{"voice_speed": "fast", `, 1))
		}, []string{"bad.json", `"voice_speed"`}},
		{"character with an empty field", func(t *testing.T) map[string]string {
			return character(t, strings.Replace(valid, `"p"`, `""`, 1))
		}, []string{"bad.json", `"prompt"`}},
		{"character that is no JSON", func(t *testing.T) map[string]string { return character(t, valid[:40]) },
			[]string{"bad.json"}},
		{"character that is a list", func(t *testing.T) map[string]string { return character(t, "["+valid+"]") },
			[]string{"bad.json"}},
		{"two characters in a file", func(t *testing.T) map[string]string { return character(t, valid+valid) },
			[]string{"bad.json"}},

		{"user config with an unknown field", func(t *testing.T) map[string]string {
			return user(t, `{"openai_api_kee": "`+secretText+`"}`)
		}, []string{"user.json", `"openai_api_kee"`}},
		{"user config with a wrong type", func(t *testing.T) map[string]string {
			return user(t, `{"openai_api_key": ["`+secretText+`"]}`)
		}, []string{"user.json", `"openai_api_key"`}},
		{"user config with a NUL", func(t *testing.T) map[string]string {
			return user(t, `{"openai_api_key": "`+secretText+`\u0000"}`)
		}, []string{"user.json", `"openai_api_key"`}},
		{"user config that is no JSON", func(t *testing.T) map[string]string {
			return user(t, `{"openai_api_key": `+secretText+`}`)
		}, []string{"user.json"}},
		{"user config that is no object", func(t *testing.T) map[string]string { return user(t, `"`+secretText+`"`) },
			[]string{"user.json"}},
		{"user config with an unknown time zone", func(t *testing.T) map[string]string {
			return user(t, `{"timezone": "Mars/Base", "openai_api_key": "`+secretText+`"}`)
		}, []string{"user.json", `"timezone"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			args := []string{"serve"}
			if tt.name == "no configuration file" {
				args = append(args, "--config", filepath.Join(folder, "none.yaml"))
			}
			got := run(t, folder, tt.env(t), args...)
			if got.status != 1 || got.out != "" || !strings.HasPrefix(got.err, "web-backend: ") || strings.Count(got.err, "\n") != 1 {
				t.Errorf("got %+v", got)
			}
			for _, want := range tt.want {
				if !strings.Contains(got.err, want) {
					t.Errorf("%q lacks %q", got.err, want)
				}
			}
			if strings.Contains(got.err, secretText) {
				t.Errorf("the error shows the key: %s", got.err)
			}
			if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
				t.Errorf("it left %v, %v", entries, err)
			}
		})
	}
}
