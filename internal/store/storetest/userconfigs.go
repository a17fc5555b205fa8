package storetest

import (
	"maps"

	"web-backend/internal/backend"
)

var userConfigPromises = []promise{
	{"UserConfig_NotFound", userConfigNotFound},
	{"UserConfig_HoldsEveryProviderKey", userConfigEveryKey},
	{"UpdateUserConfig_ChangesWhatThePatchNames", updateUserConfigPatches},
	{"UpdateUserConfig_NotFound", updateUserConfigNotFound},
	{"UpdateUserConfig_KeepsOthers", updateUserConfigOthers},
}

func secrets(keysAndValues ...string) map[string]backend.Secret {
	keys := map[string]backend.Secret{}
	for i := 0; i < len(keysAndValues); i += 2 {
		keys[keysAndValues[i]] = backend.NewSecret(keysAndValues[i+1])
	}
	return keys
}

func userConfigNotFound(t *trial) {
	t.mustCreateCredential("Bob", "bob")
	for _, userID := range []string{"ada", "bob", ""} {
		_, err := t.UserConfig(t.Context(), userID)
		t.wantKind("config of user "+userID, err, backend.NotFound)
	}
}

func userConfigEveryKey(t *trial) {
	config := backend.UserConfig{UserID: "ada", Timezone: "UTC", Keys: map[string]backend.Secret{}}
	for _, name := range backend.ProviderKeys {
		config.Keys[name] = backend.NewSecret("created " + name)
	}
	t.must("create user", t.CreateUser(t.Context(), config, nil))
	t.wantUserConfig(config)
	for _, name := range backend.ProviderKeys {
		patch := backend.UserConfigPatch{Keys: secrets(name, "updated "+name)}
		t.must("update "+name, t.UpdateUserConfig(t.Context(), "ada", patch))
		config.Keys[name] = patch.Keys[name]
		t.wantUserConfig(config)
	}
}

func updateUserConfigPatches(t *trial) {
	config, characters := t.mustCreateUser("ada", 2)
	zone, none := "America/New_York", ""
	for _, step := range []struct {
		name  string
		patch backend.UserConfigPatch
	}{
		{"nothing", backend.UserConfigPatch{}},
		{"time zone", backend.UserConfigPatch{Timezone: &zone}},
		{"a new key", backend.UserConfigPatch{Keys: secrets("xai_api_key", "xai-1")}},
		{"a key again", backend.UserConfigPatch{Keys: secrets("xai_api_key", "xai-2")}},
		{"clear a key", backend.UserConfigPatch{Keys: secrets("openai_api_key", "")}},
		{"clear a key that is not set", backend.UserConfigPatch{Keys: secrets("gemini_api_key", "")}},
		{"several at once", backend.UserConfigPatch{Timezone: &none,
			Keys: secrets("openai_api_key", "sk-2", "xai_api_key", "", "huoshan_token", "h-1")}},
	} {
		t.must(step.name, t.UpdateUserConfig(t.Context(), "ada", step.patch))
		if step.patch.Timezone != nil {
			config.Timezone = *step.patch.Timezone
		}
		maps.Copy(config.Keys, step.patch.Keys)
		t.wantUserConfig(config)
	}
	t.wantCharacters("ada", characters...)
}

func updateUserConfigNotFound(t *trial) {
	t.mustCreateCredential("Bob", "bob")
	before := t.contents("ada")
	zone := "Asia/Tokyo"
	for _, userID := range []string{"ada", "bob"} {
		for _, patch := range []backend.UserConfigPatch{{}, {Timezone: &zone, Keys: secrets("xai_api_key", "xai-1")}} {
			t.wantKind("update "+userID, t.UpdateUserConfig(t.Context(), userID, patch), backend.NotFound)
		}
	}
	t.wantContents("a refused update", before, "ada")

	config := backend.UserConfig{UserID: "ada", Timezone: "UTC"}
	t.must("create user after a refused update", t.CreateUser(t.Context(), config, nil))
	t.wantUserConfig(config)
}

func updateUserConfigOthers(t *trial) {
	t.mustCreateUser("ada", 0)
	other, _ := t.mustCreateUser("bob", 0)
	zone := "Asia/Tokyo"
	patch := backend.UserConfigPatch{Timezone: &zone, Keys: secrets("openai_api_key", "", "xai_api_key", "xai-1")}
	t.must("update", t.UpdateUserConfig(t.Context(), "ada", patch))
	t.wantUserConfig(other)
}
