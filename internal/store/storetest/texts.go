package storetest

import (
	"reflect"
	"slices"

	"web-backend/internal/backend"
)

var textPromises = []promise{
	{"Texts_OfACharacterAreKeptByteForByte", textsOfCharacters},
	{"Texts_OfAUpdateAreKeptByteForByte", textsOfUpdates},
	{"Texts_OfAUserConfigAreKeptByteForByte", textsOfConfigs},
	{"IDs_OfUsersMayBeAnyText", idsOfUsers},
	{"IDs_OfCharactersMayBeAnyText", idsOfCharacters},
}

// textsOfCharacters puts each text into every text field that is not an id.
func textsOfCharacters(t *trial) {
	var characters []backend.Character
	for n, text := range Texts() {
		c := Character("ada", n)
		fields := reflect.ValueOf(&c).Elem()
		for i := range fields.NumField() {
			name := fields.Type().Field(i).Name
			if fields.Field(i).Kind() == reflect.String && name != "UserID" && name != "CharacterID" {
				fields.Field(i).SetString(text.Value)
			}
		}
		characters = append(characters, c)
	}
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	t.wantCharacters("ada", characters...)
}

func textsOfUpdates(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	for _, text := range Texts() {
		t.must("update to "+text.Name, t.UpdateCharacter(t.Context(), characters[0].Key(),
			backend.CharacterPatch{CharacterName: &text.Value, Prompt: &text.Value, Voice: &text.Value}))
		c := &characters[0]
		c.CharacterName, c.Prompt, c.Voice = text.Value, text.Value, text.Value
		t.wantCharacters("ada", characters...)
	}
}

func textsOfConfigs(t *trial) {
	for _, text := range Texts() {
		config := UserConfig("user with " + text.Name)
		config.Timezone = text.Value
		config.Keys["openai_api_key"] = backend.NewSecret(text.Value)
		t.must("create user with "+text.Name, t.CreateUser(t.Context(), config, nil))
		t.wantUserConfig(config)

		reversed := text.Value + " and more"
		t.must("update user with "+text.Name, t.UpdateUserConfig(t.Context(), config.UserID,
			backend.UserConfigPatch{Timezone: &reversed, Keys: secrets("xai_api_key", text.Value)}))
		config.Timezone = reversed
		config.Keys["xai_api_key"] = backend.NewSecret(text.Value)
		t.wantUserConfig(config)
	}
}

// idsOfUsers runs the whole life cycle of a user with each id while users with
// all the other ids exist.
func idsOfUsers(t *trial) {
	var users []backend.User
	configs := make(map[string]backend.UserConfig)
	for _, id := range IDs() {
		config, _ := t.mustCreateUser(id.Value, 1)
		configs[id.Value] = config
		t.wantKind("create again: "+id.Name, t.CreateUser(t.Context(), config, nil), backend.Exists)
		users = append(users, backend.User{UserID: id.Value})
	}
	t.wantUsers(backend.AllUsers, users...)

	prompt, zone := "updated", "Asia/Tokyo"
	for _, id := range IDs() {
		c, config := Character(id.Value, 0), configs[id.Value]
		t.must("update config: "+id.Name, t.UpdateUserConfig(t.Context(), id.Value, backend.UserConfigPatch{Timezone: &zone}))
		t.must("update: "+id.Name, t.UpdateCharacter(t.Context(), c.Key(), backend.CharacterPatch{Prompt: &prompt}))
		c.Prompt, config.Timezone = prompt, zone
		t.wantUserConfig(config)
		t.wantCharacters(id.Value, c, t.mustCopy(c, "copy"))
	}
	for _, id := range IDs() {
		t.must("delete: "+id.Name, t.DeleteUser(t.Context(), id.Value))
		users = slices.Delete(users, 0, 1)
		t.wantUsers(backend.AllUsers, users...)
		t.wantNames(id.Value)
	}
}

func idsOfCharacters(t *trial) {
	characters := Characters("ada", len(IDs()))
	for n, id := range IDs() {
		characters[n].CharacterID = id.Value
	}
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	t.wantCharacters("ada", characters...)

	prompt := "updated"
	for n := range characters {
		c := &characters[n]
		err := t.CopyCharacter(t.Context(), c.Key(), 0, withID(characters[(n+1)%len(characters)].CharacterID))
		t.wantKind("copy onto the next", err, backend.Exists)
		t.must("update", t.UpdateCharacter(t.Context(), c.Key(), backend.CharacterPatch{Prompt: &prompt}))
		c.Prompt = prompt
	}
	t.wantCharacters("ada", characters...)
	for len(characters) > 0 {
		t.must("delete", t.DeleteCharacter(t.Context(), characters[0].Key()))
		t.wantNoCharacter(characters[0].Key())
		characters = characters[1:]
		t.wantNames("ada", characters...)
	}
}
