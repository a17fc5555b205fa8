package app_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"web-backend/internal/app"
)

// At a terminal there is a bar with a rate; with Quiet there is nothing; the
// export itself has the stream alone.
func TestExport_Progress(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	for _, tt := range []struct {
		messages app.Messages
		want     []string
	}{
		{app.Messages{Terminal: true}, []string{"export 100%", "(1/1", "\r", "exported 1 user and 8 characters\n"}},
		{app.Messages{}, []string{"exported 1 user and 8 characters\n"}},
		{app.Messages{Terminal: true, Quiet: true}, nil},
	} {
		var stream, console bytes.Buffer
		tt.messages.Out = &console
		if err := app.Export(t.Context(), cfg, app.ExportOptions{}, &stream, tt.messages); err != nil {
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

// Beside a running server an export works, and an import does not.
func TestTransfer_BesideAServer(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	withKey(t, cfg)
	run(t, cfg)
	var export bytes.Buffer
	quiet := app.Messages{Out: io.Discard, Quiet: true}
	if err := app.Export(t.Context(), cfg, app.ExportOptions{}, &export, quiet); err != nil {
		t.Fatal(err)
	}
	_, err := app.Import(t.Context(), cfg, app.ImportOptions{File: app.StandardInput}, &export, quiet)
	if err == nil || !strings.Contains(err.Error(), "in use by another web-backend process") {
		t.Errorf("import: %v", err)
	}
}

// waiting is an input of which nothing comes.
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
		_, err := app.Import(ctx, cfg, app.ImportOptions{File: app.StandardInput}, input, app.Messages{Out: io.Discard})
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
