package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/secretfile"
	"web-backend/internal/store/sqlite"
)

// The places that master keys come from, as keys doctor names them.
const (
	keysFromConfig = "configuration"
	keysFromFile   = "file"
	keysFromNone   = "none"
)

// foundKeys is what the configuration or the data folder has of master keys.
type foundKeys struct {
	ring   masterkey.Ring
	source string // one of the places above
	path   string // of the key file, also when it is not used
	fault  error  // why the key file cannot be used
}

// findKeys looks where master keys can be. The configuration goes first, and
// was judged when it was loaded. It makes nothing.
func findKeys(cfg *config.Config) (foundKeys, error) {
	found := foundKeys{source: keysFromNone, path: filepath.Join(cfg.DataDir, masterkey.FileName)}
	if cfg.MasterKey.IsSet() {
		ring, err := masterkey.Parse(cfg.MasterKey)
		if err != nil {
			return found, fmt.Errorf("master_key: %w", err)
		}
		found.ring, found.source = ring, keysFromConfig
		return found, nil
	}
	if err := secretfile.CheckFolder(cfg.DataDir); err != nil { // before anything of it is believed
		return found, fmt.Errorf("data folder %w", err)
	}
	ring, err := masterkey.ReadFile(found.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		found.source, found.fault = keysFromFile, err
	default:
		found.ring, found.source = ring, keysFromFile
	}
	return found, nil
}

// keysRemedy is what an operator does about a missing master key.
const keysRemedy = "web-backend keys doctor"

// keysAdvice is the same for who asks a server whether it is well.
const keysAdvice = "the log and `web-backend keys doctor` say more; put the key right and start the server anew"

// masterKeys finds the master keys of a server that starts. It makes a key
// file when there is neither a key nor a value that one has sealed: else the
// right key is elsewhere, and a new one would only hide that. What is wrong
// goes to the log, and the server starts without; *unready is then why it is
// not well, if no provider key can be read.
func masterKeys(cfg *config.Config, log *slog.Logger, unready *string) sqlite.KeySource {
	return func(use sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := findKeys(cfg)
		if err != nil {
			return masterkey.Ring{}, err
		}
		if found.source == keysFromNone && len(use.Sealed) == 0 {
			found.ring, found.source = masterkey.NewRing(masterkey.Generate()), keysFromFile
			if err := masterkey.WriteFile(found.path, found.ring); err != nil {
				return masterkey.Ring{}, err
			}
			log.Info("master key made", "file", found.path, "key_id", found.ring.Keys()[0].ID())
		}
		if mode, exposed := secretfile.Exposed(found.path); exposed && found.source == keysFromFile {
			log.Warn("the master key can be read by others", "file", found.path, "mode", mode.String(), "remedy", "chmod 600")
		}
		if found.fault != nil {
			log.Warn("the master key cannot be read", "reason", found.fault, "remedy", keysRemedy)
			*unready = "the master key cannot be read, so no provider key counts as set; " + keysAdvice
		}
		missing := use.Missing(found.ring)
		switch {
		case len(missing) > 0:
			lost, err := use.Lost(found.ring)
			if err != nil {
				return masterkey.Ring{}, err
			}
			log.Warn("provider keys are sealed with a master key that is missing; they count as not set and cannot be changed",
				"provider_keys", lost, "master_keys", idTexts(missing), "remedy", keysRemedy)
			if len(missing) == len(use.Sealed) && *unready == "" {
				*unready = "the master key that sealed the provider keys is missing, so none counts as set; " + keysAdvice
			}
		case found.ring.Empty():
			log.Warn("provider keys cannot be changed without a master key", "remedy", keysRemedy)
		case use.Plain > 0:
			log.Info("plain provider keys are sealed", "provider_keys", use.Plain, "key_id", found.ring.Keys()[0].ID())
		}
		return found.ring, nil
	}
}

// idTexts gives ids as they are written for people.
func idTexts(ids []masterkey.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}
