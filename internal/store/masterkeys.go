package store

import (
	"log/slog"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/secretfile"
	"web-backend/internal/store/sqlite"
)

// KeysRemedy is the command with which an operator handles a missing master
// key.
const KeysRemedy = "web-backend keys doctor"

// keysAdvice is the advice in the response of a health check.
const keysAdvice = "the log and `web-backend keys doctor` say more; make the right key available and restart the server"

// masterKeys returns the source of the master keys for a server that starts. It
// creates a key file only if there is no key and no value that a key has
// sealed. Otherwise the right key is elsewhere, and a new key would only hide
// that. Problems go to the log, and the server starts anyway. If no provider
// key can be read, *unready is set to the reason why the server is not healthy.
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

// serverKeys returns the source of the master keys that a server would use. It
// creates no key.
func serverKeys(cfg *config.Config) sqlite.KeySource {
	return func(sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
		return found.Ring, err
	}
}

// allKeys returns the source of every master key that exists for a data folder:
// the one in the configuration and the one in the folder. It creates no key.
func allKeys(cfg *config.Config) sqlite.KeySource {
	return func(sqlite.KeyUse) (masterkey.Ring, error) {
		found, err := masterkey.Find(cfg.MasterKey, cfg.DataDir)
		if err != nil {
			return masterkey.Ring{}, err
		}
		keys := found.Ring.Keys()
		if own, err := masterkey.ReadFile(found.Path); err == nil { // on an error, keys doctor explains it
			keys = append(keys, own.Keys()...)
		}
		return masterkey.NewRing(keys...), nil
	}
}
