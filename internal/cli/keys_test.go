package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// keyReport is the part of the JSON output of keys doctor that a program needs.
type keyReport struct {
	Source     string
	OK         bool
	Unreadable int
	Keys       []struct {
		ID             string
		Values, Opened int
	}
}

func doctor(t *testing.T, folder string, env map[string]string) (result, keyReport) {
	t.Helper()
	got := run(t, folder, env, "keys", "doctor", "--json")
	var report keyReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return got, report
}

func TestKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "env-data")
	keyFile := filepath.Join(data, masterkey.FileName)
	if got, report := doctor(t, folder, nil); got.status != 0 || !report.OK || report.Source != "none" {
		t.Errorf("before the first start: %+v", got)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the doctor made the data folder")
	}
	if got := run(t, folder, nil); got.status != 0 {
		t.Fatalf("serve: %+v", got)
	}
	ring, err := masterkey.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	config := backend.UserConfig{UserID: "ada", Timezone: "UTC",
		Keys: map[string]backend.Secret{"openai_api_key": backend.NewSecret(secretText)}}
	if err := store.CreateUser(t.Context(), config, nil); err != nil {
		t.Fatal(err)
	}
	if got, report := doctor(t, folder, nil); got.status != 0 || report.Source != "file" || report.Keys[0].Opened != 1 ||
		report.Keys[0].ID != ring.Keys()[0].ID().String() {
		t.Errorf("while the store is open: %+v", got)
	}
	if got := runUntil(t.Context(), folder, nil, "keys", "rotate"); got.status != 1 || !strings.Contains(got.err, "in use by another") {
		t.Errorf("rotate while the store is open: %+v", got)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if got := runUntil(t.Context(), folder, nil, "keys", "rotate"); got.status != 0 || !strings.Contains(got.out, "1 provider key is sealed with master key") {
		t.Errorf("rotate: %+v", got)
	}
	if _, report := doctor(t, folder, nil); !report.OK || report.Keys[0].Opened != 1 || report.Keys[0].ID == ring.Keys()[0].ID().String() {
		t.Errorf("after the rotation: %+v", report)
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	got, report := doctor(t, folder, nil)
	if got.status != 1 || report.OK || report.Unreadable != 1 || !strings.Contains(got.err, "master key that is missing") {
		t.Errorf("with a lost key: %+v", got)
	}
	text := run(t, folder, nil, "keys", "doctor")
	if text.status != 1 || !strings.Contains(text.out, "MISSING") || !strings.Contains(text.out, "verdict") {
		t.Errorf("as text: %+v", text)
	}
	_, recipient := identityFile(t)
	for hint, args := range map[string][]string{
		"; --discard-unreadable gives up what no key opens": {"keys", "rotate"},
		"; or go without --with-secrets":                    {"export", "--with-secrets", "--recipient", recipient},
	} {
		if got := runUntil(t.Context(), folder, nil, args...); got.status != 1 || !strings.HasSuffix(got.err, hint+"\n") {
			t.Errorf("%q with a lost key: got %+v, want the hint %q", args, got, hint)
		}
	}
	if strings.Contains(got.out+got.err+text.out+text.err, secretText) {
		t.Error("a provider key is shown")
	}
}

func TestKeys_FromTheEnvironment(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := writeFile(t, "key", strings.Repeat("5a", 32)+"\n"+strings.Repeat("6b", 32)+"\n")
	env := map[string]string{"WEB_BACKEND_MASTER_KEY_FILE": file}
	if got := run(t, folder, env); got.status != 0 {
		t.Fatalf("serve: %+v", got)
	}
	if _, report := doctor(t, folder, env); report.Source != "configuration" || len(report.Keys) != 2 {
		t.Errorf("got %+v", report)
	}
	if got := run(t, folder, map[string]string{"WEB_BACKEND_MASTER_KEY": secretText}, "keys", "doctor"); got.status != 1 ||
		!strings.Contains(got.err, "master_key: key 1 of 1") || strings.Contains(got.err, secretText) {
		t.Errorf("with a bad key: %+v", got)
	}
}

func TestKeys_OnMongoDB(t *testing.T) {
	t.Parallel()
	env := map[string]string{"WEB_BACKEND_STORE": "mongodb", "MONGODB_HOST": "db.example"}
	if got := run(t, t.TempDir(), env, "keys", "doctor"); got.status != 0 || !strings.Contains(got.out, "the orchestrator reads them") {
		t.Errorf("doctor: %+v", got)
	}
	if got := run(t, t.TempDir(), env, "keys", "rotate"); got.status != 1 || !strings.Contains(got.err, "the orchestrator reads them") {
		t.Errorf("rotate: %+v", got)
	}
}
