package storetest

import (
	"slices"

	"web-backend/internal/backend"
)

var ownershipPromises = []promise{
	{"Ownership_ResultsBelongToTheCaller", ownershipOfResults},
	{"Ownership_ArgumentsStayTheCallers", ownershipOfArguments},
}

func ownershipOfResults(t *trial) {
	t.mustCreateUser("ada", 2)
	before := t.contents()
	for range 2 { // the second round detects a store that returned its own cache
		config, err := t.UserConfig(t.Context(), "ada")
		t.must("read config", err)
		config.Keys["openai_api_key"] = backend.NewSecret("mine")
		config.Keys["xai_api_key"] = backend.NewSecret("mine too")

		names, err := t.CharacterNames(t.Context(), "ada")
		t.must("list characters", err)
		slices.Reverse(names)
		names[0].CharacterName = "mine"

		t.wantContents("changing a result", before)
	}
}

func ownershipOfArguments(t *trial) {
	config, characters := UserConfig("ada"), Characters("ada", 2)
	t.must("create user", t.CreateUser(t.Context(), config, characters))
	t.wantArguments(config, characters)
	before := t.contents()
	config.Keys["openai_api_key"] = backend.NewSecret("changed later")
	characters[0].Prompt = "changed later"
	t.wantContents("changing the arguments of CreateUser", before)

	zone, prompt, keys := "Asia/Tokyo", "given", secrets("xai_api_key", "given", "openai_api_key", "")
	t.must("update config", t.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &zone, Keys: keys}))
	t.must("update", t.UpdateCharacter(t.Context(), characters[0].Key(), backend.CharacterPatch{Prompt: &prompt}))
	if len(keys) != 2 || keys["xai_api_key"].Reveal() != "given" || keys["openai_api_key"].IsSet() ||
		zone != "Asia/Tokyo" || prompt != "given" {
		t.Errorf("arguments of updates: got %v, %q, %q, want them unchanged", keys, zone, prompt)
	}
	before = t.contents()
	zone, prompt, keys["xai_api_key"] = "changed later", "changed later", backend.NewSecret("changed later")
	t.wantContents("changing the arguments of updates", before)
}

// wantArguments checks that CreateUser did not change its arguments.
func (t *trial) wantArguments(config backend.UserConfig, characters []backend.Character) {
	t.Helper()
	if got, want := describeConfig(config), describeConfig(UserConfig("ada")); got != want {
		t.Errorf("the config that was given: got %s, want it unchanged: %s", got, want)
	}
	if want := Characters("ada", len(characters)); !slices.Equal(characters, want) {
		t.Errorf("the characters that were given: got %s, want them unchanged: %s", brief(characters), brief(want))
	}
}
