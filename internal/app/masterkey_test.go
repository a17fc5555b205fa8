package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/maintenance"
	"web-backend/internal/masterkey"
)

const plantedKey = "sk-planted-in-a-test"

// withKey runs a server, creates a user with a provider key, and stops the
// server.
func withKey(t *testing.T, cfg *config.Config) {
	t.Helper()
	s := run(t, cfg)
	if status, received := s.send(t, "/api/v1/create_user", `{"user_id": "ada"}`); status != http.StatusOK {
		t.Fatalf("create_user: %d %s", status, received)
	}
	if status, received := s.setKey(t, plantedKey); status != http.StatusOK {
		t.Fatalf("set a key: %d %s", status, received)
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
}

func (s *server) setKey(t *testing.T, key string) (status int, received string) {
	t.Helper()
	return s.send(t, "/api/v1/update_user_config", fmt.Sprintf(`{"user_id": "ada", "openai_api_key": %q}`, key))
}

// wantKeyReadable starts a server and checks whether it can read the key of
// withKey.
func wantKeyReadable(t *testing.T, cfg *config.Config, want bool) *server {
	t.Helper()
	s := run(t, cfg)
	_, options := s.send(t, "/api/v1/get_available_llm/ada", "")
	if got := options == `{"options":["openai"]}`; got != want {
		t.Errorf("get_available_llm: got %s, want it to know the key: %v", options, want)
	}
	return s
}

func keyFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, masterkey.FileName) }

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantNothingShown checks that a text contains neither the provider key nor a
// master key.
func wantNothingShown(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, plantedKey) {
		if secret = strings.TrimSpace(secret); secret != "" && strings.Contains(text, secret) {
			t.Errorf("%s shows a secret: %s", what, text)
		}
	}
}

func TestMasterKey_IsMadeOnce(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	key := readFile(t, keyFile(cfg))
	if info, err := os.Stat(keyFile(cfg)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	s := wantKeyReadable(t, cfg, true)
	if again := readFile(t, keyFile(cfg)); again != key {
		t.Error("the second start changed the key file")
	}
	s.stop()
	_ = s.wait(t)
	wantNothingShown(t, "the log", readFile(t, cfg.Log.Path)+s.console.String()+s.log.String(), key)
	if strings.Contains(readFile(t, cfg.Log.Path), "level=WARN") {
		t.Errorf("a warning without a reason:\n%s", s.log)
	}
}

func TestMasterKey_OfTheConfigurationMakesNoFile(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.MasterKey = backend.NewSecret(strings.Repeat("5a", 32))
	withKey(t, cfg)
	if _, err := os.Stat(keyFile(cfg)); err == nil {
		t.Error("there is a key file")
	}
	cfg.MasterKey = backend.NewSecret(strings.Repeat("6b", 32) + "," + strings.Repeat("5a", 32))
	wantKeyReadable(t, cfg, true)
}

// With a lost or wrong key, the server starts, reports the problem and
// overwrites nothing. With the right key, everything works as before.
func TestMasterKey_Lost(t *testing.T) {
	t.Parallel()
	other, err := masterkey.Parse(backend.NewSecret(strings.Repeat("77", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for name, lose := range map[string]func(t *testing.T, cfg *config.Config, path string){
		"gone":     func(*testing.T, *config.Config, string) {},
		"garbage":  func(t *testing.T, _ *config.Config, path string) { writeFile(t, path, "no-key-at-all\n") },
		"half":     func(t *testing.T, _ *config.Config, path string) { writeFile(t, path, strings.Repeat("77", 16)) },
		"another":  func(t *testing.T, _ *config.Config, path string) { writeFile(t, path, strings.Repeat("77", 32)) },
		"a folder": func(_ *testing.T, _ *config.Config, path string) { _ = os.Mkdir(path, 0o700) },
		"configured else": func(_ *testing.T, cfg *config.Config, _ string) {
			cfg.MasterKey = backend.NewSecret(strings.Repeat("77", 32))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			withKey(t, cfg)
			path := keyFile(cfg)
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			lose(t, cfg, path)
			before, _ := os.ReadFile(path)

			s := wantKeyReadable(t, cfg, false)
			if !strings.Contains(s.log.String(), "level=WARN") || !strings.Contains(s.log.String(), "web-backend keys doctor") {
				t.Errorf("the log does not say so:\n%s", s.log)
			}
			if status, received := s.send(t, "/health/ready", ""); status != http.StatusServiceUnavailable || !strings.Contains(received, "master key") {
				t.Errorf("ready: got %d %s", status, received)
			}
			if status, received := s.send(t, "/health", ""); status != http.StatusOK {
				t.Errorf("health: got %d %s", status, received)
			}
			if status, received := s.setKey(t, "sk-other"); status != http.StatusServiceUnavailable ||
				!strings.Contains(received, "provider keys cannot be changed: ") {
				t.Errorf("set a key: got %d %s", status, received)
			}
			for path, body := range map[string]string{
				"/api/v1/update_user_config": `{"user_id": "ada", "timezone": "Europe/Rome"}`, "/api/v1/create_user": `{"user_id": "bob"}`,
			} {
				if status, received := s.send(t, path, body); status != http.StatusOK {
					t.Errorf("%s: got %d %s", path, status, received)
				}
			}
			s.stop()
			_ = s.wait(t)
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the key file was overwritten")
			}
			if _, err := os.Stat(path); name == "gone" && err == nil {
				t.Error("a new key was made")
			}
			report, err := maintenance.DoctorKeys(cfg)
			if err != nil || report.OK || report.Unreadable != 1 || len(report.Missing) != 1 || report.Missing[0].ID == other.Keys()[0].ID() {
				t.Errorf("doctor: got %+v, %v", report, err)
			}
			wantNothingShown(t, "the log and the doctor", s.log.String()+report.Text(), string(before), "no-key-at-all", strings.Repeat("77", 16))

			_ = os.Remove(path)
			cfg.MasterKey = backend.Secret{}
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
			s = wantKeyReadable(t, cfg, true)
			if status, received := s.send(t, "/health/ready", ""); status != http.StatusOK {
				t.Errorf("ready with the right key: got %d %s", status, received)
			}
			if report, err := maintenance.DoctorKeys(cfg); err != nil || !report.OK {
				t.Errorf("doctor with the right key, beside the server: got %+v, %v", report, err)
			}
		})
	}
}

// New users with default provider keys need a master key. Other new users do
// not.
func TestMasterKey_LostWithDefaultKeys(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	if err := os.Remove(keyFile(cfg)); err != nil {
		t.Fatal(err)
	}
	cfg.DefaultUserConfigPath = filepath.Join(t.TempDir(), "user.json")
	writeFile(t, cfg.DefaultUserConfigPath, `{"xai_api_key": "sk-of-the-team"}`)
	s := run(t, cfg)
	const credential = `{"username": "carol", "password": "a good password"}`
	if status, received := s.send(t, "/api/v1/register_user", credential); status != http.StatusOK {
		t.Fatalf("register: got %d %s", status, received)
	}
	for path, body := range map[string]string{
		"/api/v1/create_user": `{"user_id": "bob"}`, "/api/v1/authenticate_user": credential, // the first login creates the config
	} {
		if status, received := s.send(t, path, body); status != http.StatusServiceUnavailable ||
			!strings.Contains(received, "provider keys cannot be changed: ") || strings.Contains(received, "sk-of") {
			t.Errorf("%s: got %d %s", path, status, received)
		}
	}
}

func TestMasterKey_ReadableByOthers(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	if err := os.Chmod(keyFile(cfg), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := wantKeyReadable(t, cfg, true); !strings.Contains(s.log.String(), `level=WARN msg="the master key can be read by others"`) {
		t.Errorf("the log does not say so:\n%s", s.log)
	}
	if report, err := maintenance.DoctorKeys(cfg); err != nil || !report.OK || !strings.Contains(report.Text(), "chmod 600") {
		t.Errorf("doctor: got %+v, %v", report, err)
	}
}
