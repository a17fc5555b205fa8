package config

import (
	"errors"
	"fmt"
	"os"

	"web-backend/configs/characters"
	"web-backend/internal/backend"
)

// UserDefaults returns the defaults for new users. They come from the files
// that the configuration names; otherwise the built-in ones are used. An error
// joins all faults of the files.
func (c *Config) UserDefaults() (defaults backend.Defaults, err error) {
	var faults []error
	if defaults.UserConfig, err = loadDefaultUserConfig(c.DefaultUserConfigPath); err != nil {
		faults = append(faults, fmt.Errorf("default_user_config_path: %w", err))
	}
	if c.DefaultTimezone != "" {
		defaults.UserConfig.Timezone = c.DefaultTimezone
	}
	if len(c.DefaultCharacterConfigPaths) == 0 {
		if defaults.Characters, err = characters.All(); err != nil {
			faults = append(faults, err)
		}
	}
	for _, path := range c.DefaultCharacterConfigPaths {
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
