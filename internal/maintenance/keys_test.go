package maintenance_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/maintenance"
	"web-backend/internal/masterkey"
	"web-backend/internal/store"
	"web-backend/internal/users"
)

const plantedKey = "sk-planted-in-a-test"

// testConfig returns a configuration with all files in a folder of the test.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	return cfg
}

// open opens the store as a server does. The store stays open until it is
// closed or the test ends.
func open(t *testing.T, cfg *config.Config) backend.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened.Store
}

// withKey creates a user with a provider key.
func withKey(t *testing.T, cfg *config.Config) {
	t.Helper()
	edit(t, cfg, func(editor *users.Editor) error {
		_, err := editor.CreateUser(t.Context(), "ada")
		return err
	})
	setKey(t, cfg)
}

// setKey sets the provider key of the user of withKey.
func setKey(t *testing.T, cfg *config.Config) {
	t.Helper()
	edit(t, cfg, func(editor *users.Editor) error {
		return editor.SetProviderKey(t.Context(), "ada", "openai_api_key", backend.NewSecret(plantedKey))
	})
}

func edit(t *testing.T, cfg *config.Config, do func(*users.Editor) error) {
	t.Helper()
	editor, err := users.Edit(t.Context(), cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(editor), editor.Close()); err != nil {
		t.Fatal(err)
	}
}

// wantKeyReadable checks whether a server could read the key of withKey.
func wantKeyReadable(t *testing.T, cfg *config.Config, want bool) {
	t.Helper()
	server := open(t, cfg)
	found, err := server.UserConfig(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if got := found.Keys["openai_api_key"].Reveal() == plantedKey; got != want {
		t.Errorf("the provider key can be read: %v, want %v", got, want)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
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

// If a rotation is interrupted after any step, all values stay readable and the
// next rotation completes it.
func TestRotateKeys_BrokenOff(t *testing.T) {
	t.Parallel()
	for steps := range maintenance.RotationSteps + 1 {
		t.Run(fmt.Sprint(steps, " steps"), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			withKey(t, cfg)
			old := readFile(t, keyFile(cfg))
			if err := maintenance.BreakOffRotation(t.Context(), cfg, steps); err != nil {
				t.Fatal(err)
			}
			if held := readFile(t, keyFile(cfg)); strings.Contains(held, old) != (steps < maintenance.RotationSteps) {
				t.Errorf("after %d steps the file holds the old key: %v", steps, strings.Contains(held, old))
			}
			writeFile(t, keyFile(cfg)+".tmp", "half a k") // the state after a crash within a step
			wantKeyReadable(t, cfg, true)

			var console strings.Builder
			if err := maintenance.RotateKeys(t.Context(), cfg, false, &console); err != nil {
				t.Fatal(err)
			}
			held := readFile(t, keyFile(cfg))
			if strings.Contains(held, old) || strings.Count(held, "\n") != 1 {
				t.Errorf("the file holds %d keys, the old one: %v", strings.Count(held, "\n"), strings.Contains(held, old))
			}
			if begun := steps > 0 && steps < maintenance.RotationSteps; begun != strings.Contains(console.String(), "finishes a rotation that had begun") {
				t.Errorf("it says: %s", console.String())
			}
			wantNothingShown(t, "the command", console.String(), old, held)
			wantKeyReadable(t, cfg, true)
			report, err := maintenance.DoctorKeys(cfg)
			if err != nil || !report.OK || len(report.Keys) != 1 || report.Keys[0].Opened != 1 {
				t.Errorf("doctor: got %+v, %v", report, err)
			}
		})
	}
}

func TestRotateKeys_OfTheConfiguration(t *testing.T) {
	t.Parallel()
	old, current := strings.Repeat("5a", 32), strings.Repeat("6b", 32)
	cfg := testConfig(t)
	cfg.MasterKey = backend.NewSecret(old)
	withKey(t, cfg)
	cfg.MasterKey = backend.NewSecret(current + "," + old)
	var console strings.Builder
	if err := maintenance.RotateKeys(t.Context(), cfg, false, &console); err != nil {
		t.Fatal(err)
	}
	ring, err := masterkey.Parse(cfg.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	if want := "key " + ring.Keys()[1].ID().String() + " is not needed any more"; !strings.Contains(console.String(), want) {
		t.Errorf("it says %q, want %q", console.String(), want)
	}
	wantNothingShown(t, "the command", console.String(), old, current)
	cfg.MasterKey = backend.NewSecret(current)
	wantKeyReadable(t, cfg, true)
	if _, err := os.Stat(keyFile(cfg)); err == nil {
		t.Error("there is a key file")
	}
}

func TestRotateKeys_Refuses(t *testing.T) {
	t.Parallel()
	running := testConfig(t)
	withKey(t, running)
	open(t, running)
	key := readFile(t, keyFile(running))
	lost := testConfig(t)
	withKey(t, lost)
	if err := os.Remove(keyFile(lost)); err != nil {
		t.Fatal(err)
	}
	damaged := testConfig(t)
	withKey(t, damaged)
	writeFile(t, keyFile(damaged), "garbage")
	mongo := testConfig(t)
	mongo.Store = config.StoreMongoDB
	for _, c := range []struct {
		name    string
		cfg     *config.Config
		discard bool
		want    string
	}{
		{"a running server", running, true, "in use by another web-backend process"},
		{"a lost key", lost, false, "no master key was dropped"},
		{"a damaged key file", damaged, true, "key 1 of 1"},
		{"MongoDB", mongo, false, "the orchestrator reads them"},
		{"no database", testConfig(t), false, "nothing to rotate"},
	} {
		var console strings.Builder
		err := maintenance.RotateKeys(t.Context(), c.cfg, c.discard, &console)
		if err == nil || !strings.Contains(err.Error(), c.want) || console.Len() > 0 {
			t.Errorf("%s: got error %v, output %q, want an error that says %q", c.name, err, console.String(), c.want)
		}
	}
	if again := readFile(t, keyFile(running)); again != key {
		t.Error("the key of the running server was changed")
	}
	if _, err := os.Stat(keyFile(lost)); err == nil {
		t.Error("a refused rotation made a key")
	}

	var console strings.Builder // with discard the rotation can continue
	if err := maintenance.RotateKeys(t.Context(), lost, true, &console); err != nil || !strings.Contains(console.String(), "removed") {
		t.Fatalf("discard: %v, %s", err, console.String())
	}
	wantKeyReadable(t, lost, false)
	setKey(t, lost)
	wantKeyReadable(t, lost, true)
}

func TestDoctorKeys_FindsWhatIsDamaged(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	db, err := sqlite3.Open(filepath.Join(cfg.DataDir, "web-backend.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("UPDATE provider_keys SET value = CAST(substr(value, 1, 40) || x'00000000' AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := maintenance.DoctorKeys(cfg)
	if err != nil || report.OK || report.Unreadable != 1 || len(report.Missing) != 0 || !strings.Contains(report.Verdict, "damaged") {
		t.Errorf("got %+v, %v", report, err)
	}
	err = maintenance.RotateKeys(t.Context(), cfg, false, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no master key was dropped") {
		t.Errorf("rotate: got error %v, want one that says no master key was dropped", err)
	}
	wantKeyReadable(t, cfg, false)
	setKey(t, cfg)
	wantKeyReadable(t, cfg, true)
}
