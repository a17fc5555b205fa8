//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestServe_AnnouncesItself(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := serve(t, folder) // without arguments and without a configuration file
	want := "web-backend is listening on " + p.url + "\n" +
		"  console        " + p.url + "/console\n" +
		"  documentation  " + p.url + "/docs\n" +
		"  store          embedded, in " + filepath.Join(folder, "data", "web-backend.db") + "\n" +
		"  log            " + filepath.Join(folder, "logs", "server.log") + "\n" +
		"  access         guarded\n" +
		"  operator token " + filepath.Join(folder, "data", "operator.token") + "\n"
	if got := p.stdout.String(); got != want {
		t.Errorf("console\n got %q\nwant %q", got, want)
	}
	if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
		t.Errorf("it listens on %s", p.url)
	}
	if got := p.must(t, "/health", ""); got != `"OK"` {
		t.Errorf("/health: %s", got)
	}
	p.stop(t)
	if got := p.stdout.String(); got != want {
		t.Errorf("at the end the console has %q", got)
	}
	for _, name := range []string{"data/web-backend.db", "data/operator.token", "data/master.key", "logs/server.log"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for name, others := range map[string]os.FileMode{"data": 0o077, "data/web-backend.db": 0o077, "data/master.key": 0o077, "logs": 0o007, "logs/server.log": 0o007} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&others != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestServe_FlagsAndEnvironment(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "c.yaml"), []byte("logger_cfg: {logger_path: from/file.log}\nport: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, folder, "serve", "--config-path", "c.yaml", "--host", loopback(), "--data-dir", "from/flag")
	for _, want := range []string{"http://" + loopback() + ":", "in " + filepath.Join(folder, "from/flag/web-backend.db\n"), filepath.Join(folder, "from/file.log\n")} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("the console lacks %q:\n%s", want, p.stdout)
		}
	}
	p.stop(t)
	for _, name := range []string{"from/flag/web-backend.db", "from/file.log"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "data")); err == nil {
		t.Error("the default data folder was made, too")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := start(t, folder, "version")
	if state := p.wait(t); state.ExitCode() != 0 || !strings.HasPrefix(p.stdout.String(), "web-backend ") || p.stderr.String() != "" {
		t.Errorf("%v, stdout %q, stderr %q", state, p.stdout, p.stderr)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
}

// characterIDs returns the ids of the characters of a user.
func (p *process) characterIDs(t testing.TB, user string) []string {
	t.Helper()
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	if body := p.must(t, "/api/v1/list_characters/"+user, ""); json.Unmarshal([]byte(body), &list) != nil {
		t.Fatalf("list_characters: %s", body)
	}
	return list.IDs
}

// duplicate copies a character and returns the id of the copy.
func (p *process) duplicate(t *testing.T, user, character string) string {
	t.Helper()
	var made struct {
		ID string `json:"character_id"`
	}
	body := p.must(t, "/api/v1/duplicate_character", `{"user_id": "`+user+`", "character_id": "`+character+`"}`)
	if json.Unmarshal([]byte(body), &made) != nil || made.ID == "" {
		t.Fatalf("duplicate_character: %s", body)
	}
	return made.ID
}

func TestServe_DataSurvivesARestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := serve(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	p.must(t, "/api/v1/update_user_config", `{"user_id": "ada", "xai_api_key": "k", "timezone": "Europe/Berlin"}`)
	id := p.duplicate(t, "ada", p.characterIDs(t, "ada")[0])
	prompt, err := json.Marshal("Zeile\n\t\"界\" </script> \u2028 \U0001F600 \\ \x7f")
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, "/api/v1/update_character_prompt", `{"user_id": "ada", "character_id": "`+id+`", "prompt": `+string(prompt)+`}`)
	p.must(t, "/api/v1/update_character_tts",
		`{"user_id": "ada", "character_id": "`+id+`", "tts_adapter": "zoetrope", "voice": "v", "voice_speed": "1.25"}`)

	paths := []string{"/api/v1/list_users", "/api/v1/list_user_config_id", "/api/v1/list_characters/ada",
		"/api/v1/get_available_llm/ada", "/api/v1/get_available_tts/ada"}
	for _, character := range p.characterIDs(t, "ada") {
		paths = append(paths, "/api/v1/get_character_config/ada/"+character, "/api/v1/get_missing_secrets/ada/"+character)
	}
	before := map[string]string{}
	for _, path := range paths {
		before[path] = p.must(t, path, "")
	}
	if !strings.Contains(before["/api/v1/get_character_config/ada/"+id], `"voice_speed":1.25,`) {
		t.Errorf("the copy is %s", before["/api/v1/get_character_config/ada/"+id])
	}
	for _, end := range []func(testing.TB){p.stop, nil} {
		if end == nil {
			p.kill(t)
		} else {
			end(t)
		}
		p = serve(t, folder)
		for _, path := range paths {
			if got := p.must(t, path, ""); got != before[path] {
				t.Errorf("%s after a restart\n got %s\nwant %s", path, got, before[path])
			}
		}
	}
}

// patchDatabase creates a database with a user in folder, and then overwrites
// bytes of its header.
func patchDatabase(t *testing.T, folder string, offset int64, value uint32) {
	t.Helper()
	p := serve(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	p.stop(t)
	file, err := os.OpenFile(filepath.Join(folder, "data", "web-backend.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(binary.BigEndian.AppendUint32(nil, value), offset); err != nil {
		t.Fatal(err)
	}
}

// The offsets of these values in the first page of a SQLite file.
const (
	userVersionOffset   = 60
	applicationIDOffset = 68
)

// putDatabase writes a file in place of the database.
func putDatabase(t *testing.T, folder, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(folder, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "data", "web-backend.db"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// If the program cannot start, it prints the reason on one line, and changes no
// existing file.
func TestServe_CannotStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, folder string) (args []string)
		want    []string
	}{
		{"port in use", func(t *testing.T, _ string) []string {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			return []string{"--port", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)}
		}, []string{"cannot listen on 127.0.0.1:", "address already in use"}},
		{"data folder under a file", func(t *testing.T, folder string) []string {
			if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"--data-dir", "file/data"}
		}, []string{"data folder file/data cannot be made", "not a directory"}},
		{"data folder is a file", func(t *testing.T, folder string) []string {
			if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"--data-dir", "file"}
		}, []string{"data folder file cannot be made", "not a directory"}},
		{"database is a folder", func(t *testing.T, folder string) []string {
			if err := os.MkdirAll(filepath.Join(folder, "data", "web-backend.db"), 0o700); err != nil {
				t.Fatal(err)
			}
			return nil
		}, []string{"database data/web-backend.db cannot be opened", "is a directory"}},
		{"data folder in use", func(t *testing.T, folder string) []string {
			other := filepath.Join(folder, "other.yaml") // a second server has a separate log
			if err := os.WriteFile(other, []byte("logger_cfg: {logger_path: other.log}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			serve(t, folder)
			return []string{"--config-path", other}
		}, []string{"data folder data is in use by another web-backend process"}},
		{"database of a newer version", func(t *testing.T, folder string) []string {
			patchDatabase(t, folder, userVersionOffset, 1000)
			return nil
		}, []string{"database data/web-backend.db", "version 1000", "run the newer web-backend"}},
		{"database of another program", func(t *testing.T, folder string) []string {
			patchDatabase(t, folder, applicationIDOffset, 1)
			return nil
		}, []string{"database data/web-backend.db", "another program", "move it away"}},
		{"not a database", func(t *testing.T, folder string) []string {
			putDatabase(t, folder, strings.Repeat("This is a diary. ", 1000))
			return nil
		}, []string{"database data/web-backend.db", "not a database", "move it away"}},
		{"short file that is not a database", func(t *testing.T, folder string) []string {
			putDatabase(t, folder, "This is a note.")
			return nil
		}, []string{"database data/web-backend.db", "not a database", "move it away"}},
		{"no MongoDB responds", func(t *testing.T, folder string) []string {
			if err := os.WriteFile(filepath.Join(folder, "c.yaml"), []byte("mongodb_host: 127.0.0.1\nmongodb_port: 1\nmongodb_startup_timeout: 0s\nmongodb_timeout: 200ms\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"--config", "c.yaml"}
		}, []string{"MongoDB at 127.0.0.1:1", "no server responded", "mongodb_host"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			args := tt.prepare(t, folder)
			database := filepath.Join(folder, "data", "web-backend.db")
			before, _ := os.ReadFile(database) // not every case has a database
			p := start(t, folder, args...)
			state := p.wait(t)
			message := p.stderr.String()
			if state.ExitCode() != 1 || p.stdout.String() != "" || strings.Count(message, "\n") != 1 ||
				!strings.HasPrefix(message, "web-backend: ") {
				t.Errorf("%v, stdout %q, stderr %q", state, p.stdout, message)
			}
			for _, want := range tt.want {
				if !strings.Contains(message, want) {
					t.Errorf("%q lacks %q", message, want)
				}
			}
			if after, _ := os.ReadFile(database); !bytes.Equal(before, after) {
				t.Errorf("the database file was changed")
			}
		})
	}
}
