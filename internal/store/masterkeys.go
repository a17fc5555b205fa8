package store

import (
	"log/slog"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/secretfile"
	"web-backend/internal/store/sqlite"
)

// KeysRemedy is what an operator does about a missing master key.
const KeysRemedy = "web-backend keys doctor"

// keysAdvice is the same for who asks a server whether it is well.
const keysAdvice = "the log and `web-backend keys doctor` say more; put the key right and start the server anew"

// masterKeys finds the master keys of a server that starts. It makes a key
// file when there is neither a key nor a value that one has sealed: else the
// right key is elsewhere, and a new one would only hide that. What is wrong
// goes to the log, and the server starts without; *unready is then why it is
// not well, if no provider key can be read.
func masterKeys(cfg *config.Config, log *slog.Logger, unready *string) sqlite.KeySource {
	return func(use sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
		if err != nil {
			return masterkey.Ring{}, err
		}
		if found.Source == masterkey.FromNone && len(use.Sealed) == 0 {
			found.Ring, found.Source = masterkey.NewRing(masterkey.Generate()), masterkey.FromFile
			if err := masterkey.WriteFile(found.Path, found.Ring); err != nil {
				return masterkey.Ring{}, err
			}
			log.Info("master key made", "file", found.Path, "key_id", found.Ring.Keys()[0].ID())
		}
		if mode, exposed := secretfile.Exposed(found.Path); exposed && found.Source == masterkey.FromFile {
			log.Warn("the master key can be read by others", "file", found.Path, "mode", mode.String(), "remedy", "chmod 600")
		}
		if found.Fault != nil {
			log.Warn("the master key cannot be read", "reason", found.Fault, "remedy", KeysRemedy)
			*unready = "the master key cannot be read, so no provider key counts as set; " + keysAdvice
		}
		missing := use.Missing(found.Ring)
		switch {
		case len(missing) > 0:
			lost, err := use.Lost(found.Ring)
			if err != nil {
				return masterkey.Ring{}, err
			}
			log.Warn("provider keys are sealed with a master key that is missing; they count as not set and cannot be changed",
				"provider_keys", lost, "master_keys", masterkey.Texts(missing), "remedy", KeysRemedy)
			if len(missing) == len(use.Sealed) && *unready == "" {
				*unready = "the master key that sealed the provider keys is missing, so none counts as set; " + keysAdvice
			}
		case found.Ring.Empty():
			log.Warn("provider keys cannot be changed without a master key", "remedy", KeysRemedy)
		case use.Plain > 0:
			log.Info("plain provider keys are sealed", "provider_keys", use.Plain, "key_id", found.Ring.Keys()[0].ID())
		}
		return found.Ring, nil
	}
}

// serverKeys gives the master keys that a server would use. It makes none.
func serverKeys(cfg *config.Config) sqlite.KeySource {
	return func(sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
		return found.Ring, err
	}
}

// allKeys gives every master key that there is for a data folder: that of the
// configuration, and that of the folder. It makes none.
func allKeys(cfg *config.Config) sqlite.KeySource {
	return func(sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
		if err != nil {
			return masterkey.Ring{}, err
		}
		keys := found.Ring.Keys()
		if own, err := masterkey.ReadFile(found.Path); err == nil { // else keys doctor says what is wrong
			keys = append(keys, own.Keys()...)
		}
		return masterkey.NewRing(keys...), nil
	}
}
