package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"web-backend/configs/characters"
	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// loadDefaults reads what new users start with: the files that the
// configuration names, else what is built in.
// An error joins everything that is wrong with them.
func loadDefaults(cfg *config.Config) (defaults backend.Defaults, err error) {
	var faults []error
	if defaults.UserConfig, err = loadDefaultUserConfig(cfg.DefaultUserConfigPath); err != nil {
		faults = append(faults, fmt.Errorf("default_user_config_path: %w", err))
	}
	if cfg.DefaultTimezone != "" {
		defaults.UserConfig.Timezone = cfg.DefaultTimezone
	}
	if len(cfg.DefaultCharacterConfigPaths) == 0 {
		if defaults.Characters, err = characters.All(); err != nil {
			faults = append(faults, err)
		}
	}
	for _, path := range cfg.DefaultCharacterConfigPaths {
		character, err := loadDefaultCharacter(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("default_character_config_paths: %w", err))
		}
		defaults.Characters = append(defaults.Characters, character)
	}
	return defaults, errors.Join(faults...)
}

func loadDefaultUserConfig(path string) (userConfig backend.UserConfig, err error) {
	data := []byte("{}")
	if path != "" {
		if data, err = os.ReadFile(path); err != nil {
			return userConfig, err
		}
	}
	if userConfig, err = backend.ParseDefaultUserConfig(data); err != nil {
		return userConfig, fmt.Errorf("%s: %w", path, err)
	}
	return userConfig, nil
}

func loadDefaultCharacter(path string) (character backend.Character, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return character, err
	}
	if character, err = backend.ParseDefaultCharacter(data); err != nil {
		return character, fmt.Errorf("%s: %w", path, err)
	}
	return character, nil
}

// warnOfUnknownNames logs which adapters, scenes and avatars of the files for
// new users are not known. That is no fault: an orchestrator may have others.
func warnOfUnknownNames(cfg *config.Config, defaults backend.Defaults, log *slog.Logger) {
	for i, path := range cfg.DefaultCharacterConfigPaths {
		for _, name := range defaults.Characters[i].UnknownNames() {
			log.Warn("a default character has an unknown name, GET /api/v1/list_providers has the known ones",
				"file", path, "field", name.Field, "nearest", strings.Join(name.Nearest, ", "))
		}
	}
}
