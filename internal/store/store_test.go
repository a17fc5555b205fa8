package store_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/config"
	"web-backend/internal/store"
)

// Every store in the configuration has a kind, and a name for people.
func TestKinds_AreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, name := range config.Stores {
		cfg := config.Default()
		cfg.Store, cfg.MongoDB.Host = name, "127.0.0.1"
		if text, err := store.Describe(cfg); err != nil || text == "" {
			t.Errorf("%s: described as %q, %v", name, text, err)
		}
	}
}

// An unknown kind does not select another store: nothing is opened or created.
func TestKinds_Unknown(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Store, cfg.DataDir = "third", filepath.Join(t.TempDir(), "data")
	for name, call := range map[string]func() error{
		"Open":         func() error { _, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); return err },
		"OpenReadOnly": func() error { _, err := store.OpenReadOnly(t.Context(), cfg); return err },
		"OpenSource":   func() error { _, err := store.OpenSource(t.Context(), cfg); return err },
		"Exists":       func() error { _, err := store.Exists(cfg); return err },
		"Describe":     func() error { _, err := store.Describe(cfg); return err },
		"Bootstrap":    func() error { return store.Bootstrap(t.Context(), cfg, true, io.Discard) },
		"CanBackUp":    func() error { return store.CanBackUp(cfg) },
		"SealsKeys":    func() error { return store.SealsKeys(cfg) },
		"Check": func() error {
			for _, fault := range store.Check(cfg) {
				return fault
			}
			return nil
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), `no kind "third"; want one of embedded, mongodb`) {
			t.Errorf("%s: got %v, want that there is no such kind", name, err)
		}
	}
	if store.InDataFolder(cfg) || store.Same(cfg, cfg) {
		t.Error("it counts as a store in the data folder, or as one that is known")
	}
	if _, err := os.Stat(cfg.DataDir); err == nil {
		t.Error("a data folder was made")
	}
}
