package move_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/move"
	"web-backend/internal/store"
	"web-backend/internal/users"
)

// deadline is the maximum time for anything that must happen soon, on a busy
// machine.
const deadline = 20 * time.Second

const plantedKey = "sk-planted-in-a-test"

// testConfig returns a configuration with all files in a folder of the test.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	return cfg
}

// withKey creates a user with a provider key.
func withKey(t *testing.T, cfg *config.Config) {
	t.Helper()
	editor, err := users.Edit(t.Context(), cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, err = editor.CreateUser(t.Context(), "ada")
	err = errors.Join(err, editor.SetProviderKey(t.Context(), "ada", "openai_api_key", backend.NewSecret(plantedKey)), editor.Close())
	if err != nil {
		t.Fatal(err)
	}
}

// At a terminal there is a progress bar with a rate. With Quiet there is no
// output. Only the export is written to the stream.
func TestExport_Progress(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	for _, tt := range []struct {
		messages move.Messages
		want     []string
	}{
		{move.Messages{Terminal: true}, []string{"export 100%", "(1/1", "\r", "exported 1 user and 8 characters\n"}},
		{move.Messages{}, []string{"exported 1 user and 8 characters\n"}},
		{move.Messages{Terminal: true, Quiet: true}, nil},
	} {
		var stream, console bytes.Buffer
		tt.messages.Out = &console
		if err := move.Export(t.Context(), cfg, move.ExportOptions{}, &stream, tt.messages); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(console.String(), want) {
				t.Errorf("%+v: %q lacks %q", tt.messages, console.String(), want)
			}
		}
		if tt.want == nil && console.Len() > 0 || !tt.messages.Terminal && strings.Contains(console.String(), "\r") {
			t.Errorf("%+v: it printed %q", tt.messages, console.String())
		}
		if !strings.HasPrefix(stream.String(), `{"kind":"header"`) || strings.Contains(stream.String(), plantedKey) {
			t.Errorf("the export is %.200q", stream.String())
		}
	}
}

// While a server uses the store, an export works and an import does not.
func TestTransfer_BesideAServer(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	server, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var export bytes.Buffer
	quiet := move.Messages{Out: io.Discard, Quiet: true}
	if err := move.Export(t.Context(), cfg, move.ExportOptions{}, &export, quiet); err != nil {
		t.Fatal(err)
	}
	_, err = move.Import(t.Context(), cfg, move.ImportOptions{File: move.StandardInput}, &export, quiet)
	if err == nil || !strings.Contains(err.Error(), "in use by another web-backend process") {
		t.Errorf("import: %v", err)
	}
}

// waiting is an input that never returns data.
type waiting struct{ asked, ended chan struct{} }

func (w waiting) Read([]byte) (int, error) {
	close(w.asked)
	<-w.ended
	return 0, io.EOF
}

// A signal ends an import that waits for its input.
func TestImport_StopsWaitingForItsInput(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	input := waiting{make(chan struct{}), make(chan struct{})}
	defer close(input.ended)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := move.Import(ctx, cfg, move.ImportOptions{File: move.StandardInput}, input, move.Messages{Out: io.Discard})
		result <- err
	}()
	<-input.asked
	cancel()
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), "stopped before the end") {
			t.Errorf("got %v, want that it was stopped", err)
		}
	case <-time.After(deadline):
		t.Fatal("it waits on")
	}
}
