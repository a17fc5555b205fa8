//go:build unix

package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/configs/characters"
	"web-backend/internal/store/mongo/mongotest"
)

// pythonFolder creates a folder with a configuration in the form of the
// original, and the default characters that the configuration names.
func pythonFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	copies := map[string]string{
		"../../internal/config/testdata/local.py":        "configs/local.py",
		"../../configs/characters/01-thea-brannock.json": "characters/first.json",
		"../../configs/characters/02-marit-oselund.json": "characters/second.json",
	}
	for from, to := range copies {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// checkPythonServer checks that the settings of the Python module are in
// effect.
func checkPythonServer(t *testing.T, p *process, folder, store string) {
	t.Helper()
	if banner := p.stdout.String(); !strings.Contains(banner, "store          "+store) || !strings.Contains(banner, "logs/web_backend.log") {
		t.Errorf("the banner does not name store %s and the log file: %q", store, banner)
	}
	all, err := characters.All()
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, "/api/v1/create_user", `{"user_id":"ada"}`)
	if ids := p.characterIDs(t, "ada"); len(ids) != 2 || len(all) == 2 {
		t.Errorf("a new user has %d characters, want the 2 that the module names", len(ids))
	}
	p.stop(t)
	log, err := os.ReadFile(filepath.Join(folder, "logs/web_backend.log"))
	if err != nil || !strings.Contains(string(log), "aws_region") {
		t.Errorf("the log does not name the key that is ignored: %v\n%s", err, log)
	}
	for _, text := range []string{p.stderr.String(), p.stdout.String(), string(log)} {
		if strings.Contains(text, "stands-in-the-file") || strings.Contains(text, applicationPassword) {
			t.Errorf("a password is shown:\n%s", text)
		}
	}
}

// If there is no MongoDB server, the module of the original gets the embedded
// store.
func TestPythonConfig_Embedded(t *testing.T) {
	t.Parallel()
	folder := pythonFolder(t)
	p := serve(t, folder, "serve", "--config_path", "configs/local.py")
	checkPythonServer(t, p, folder, "embedded, in ")
}

// With the environment of the image of the original, the program runs on
// MongoDB. The first start sets MongoDB up.
func TestPythonConfig_MongoDB(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	u, err := url.Parse(server.URI())
	if err != nil {
		t.Fatal(err)
	}
	folder := pythonFolder(t)
	p := serveWith(t, folder, []string{
		"MONGODB_HOST=" + u.Hostname(), "MONGODB_PORT=" + u.Port(), "MONGODB_PASSWORD=" + applicationPassword,
		"MONGODB_ADMIN_USERNAME=root", "MONGODB_ADMIN_PASSWORD=root", "MONGODB_TIMEOUT=25s",
	}, "--config_path", "configs/local.py")
	checkPythonServer(t, p, folder, "mongodb, database web_database at ")
}

// The commands in docs/configuration.md print the output that follows them
// there.
func TestConfigurationDocument(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, _ := strings.Cut(string(document), "\n```"+language+"\n")
		text, _, found := strings.Cut(rest, "```\n")
		if !found {
			t.Fatalf("docs/configuration.md has no %s", language)
		}
		return text
	}
	folder := t.TempDir()
	for name, content := range map[string]string{"configs/local.py": block("python"), "secrets/mongodb": applicationPassword} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := []string{"WEB_BACKEND_PORT=", "MONGODB_HOST=db.example", "MONGODB_PASSWORD_FILE=secrets/mongodb"}
	commands := strings.Split(block("console"), "$ web-backend ")[1:]
	for _, command := range commands {
		line, want, _ := strings.Cut(command, "\n")
		p := startWith(t, folder, environment, strings.Fields(line)...)
		p.wait(t)
		if got := p.stdout.String() + p.stderr.String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	if len(commands) != 3 {
		t.Errorf("%d commands, want 3", len(commands))
	}
}
