package app

import (
	"fmt"
	"os"

	"web-backend/configs/characters"
	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// loadDefaults reads what new users start with: the files that the
// configuration names, else what is built in.
func loadDefaults(cfg *config.Config) (defaults backend.Defaults, err error) {
	userConfig := []byte("{}")
	if path := cfg.DefaultUserConfigPath; path != "" {
		if userConfig, err = os.ReadFile(path); err != nil {
			return defaults, fmt.Errorf("default_user_config_path: %w", err)
		}
	}
	if defaults.UserConfig, err = backend.ParseDefaultUserConfig(userConfig); err != nil {
		return defaults, fmt.Errorf("default_user_config_path: %s: %w", cfg.DefaultUserConfigPath, err)
	}
	if len(cfg.DefaultCharacterConfigPaths) == 0 {
		defaults.Characters, err = characters.All()
		return defaults, err
	}
	for _, path := range cfg.DefaultCharacterConfigPaths {
		data, err := os.ReadFile(path)
		if err != nil {
			return defaults, fmt.Errorf("default_character_config_paths: %w", err)
		}
		character, err := backend.ParseDefaultCharacter(data)
		if err != nil {
			return defaults, fmt.Errorf("default_character_config_paths: %s: %w", path, err)
		}
		defaults.Characters = append(defaults.Characters, character)
	}
	return defaults, nil
}
