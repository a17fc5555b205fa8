package storetest

import (
	"strings"

	"web-backend/internal/backend"
)

var characterPromises = []promise{
	{"CharacterNames_NoneForUnknownUser", characterNamesUnknown},
	{"CharacterNames_InCreationOrderAfterDeletesAndCopies", characterNamesOrder},
	{"CharacterSummaries_ShowWhatIsStored", characterSummaries},
	{"CharacterSummaries_LeaveLongTextsOut", characterSummariesLong},
	{"Character_NotFound", characterNotFound},
}

func characterNamesUnknown(t *trial) {
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("Carol", "carol")
	t.wantNames("ada")
	t.wantNames("carol")
}

func characterNamesOrder(t *trial) {
	_, characters := t.mustCreateUser("ada", 5)
	t.mustCopy(characters[1], "copy 1")
	t.must("delete a middle character", t.DeleteCharacter(t.Context(), characters[2].Key()))
	t.must("delete the last character", t.DeleteCharacter(t.Context(), characterKey("ada", "copy 1")))
	second := t.mustCopy(characters[4], "copy 2")
	name := "renamed, and still the first"
	t.must("rename", t.UpdateCharacter(t.Context(), characters[0].Key(), backend.CharacterPatch{CharacterName: &name}))
	characters[0].CharacterName = name
	third := t.mustCopy(second, "a copy of a copy")
	t.wantNames("ada", characters[0], characters[1], characters[3], characters[4], second, third)
}

func characterSummaries(t *trial) {
	characters := Characters("ada", 3)
	characters[1].ReadOnly = true
	characters[0].CharacterName, characters[0].Avatar = `,"asr_adapter":`, `a","asr_adapter":"b\`
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	t.mustCreateUser("bob", 1)
	t.wantSummaries("ada", characters...)
	avatar, scene := "HT-default", "凌星 <&> 😀"
	t.must("update", t.UpdateCharacter(t.Context(), characters[2].Key(), backend.CharacterPatch{Avatar: &avatar, SceneName: &scene}))
	characters[2].Avatar, characters[2].SceneName = avatar, scene
	t.wantSummaries("ada", characters...)
	copied := t.mustCopy(characters[1], "copy")
	t.wantSummaries("ada", append(characters, copied)...)
	t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	t.wantSummaries("ada")
}

func characterSummariesLong(t *trial) {
	characters := Characters("ada", 5)
	long := strings.Repeat("名", backend.MaxSummary)
	characters[0].CharacterName, characters[1].Avatar, characters[2].SceneName = long, long, long
	half := strings.Repeat("x", backend.MaxSummary/2)
	characters[3].CharacterName, characters[3].Avatar, characters[3].SceneName = half, half, ""
	characters[4].CharacterName, characters[4].Avatar, characters[4].SceneName = half, half, "x"
	for i := range characters {
		characters[i].ReadOnly = i%2 == 0
	}
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	t.wantSummaries("ada", characters...)
	summaries, err := t.CharacterSummaries(t.Context(), "ada")
	t.must("list", err)
	for i, summary := range summaries {
		if long := i != 3; summary.TooLong != long || (summary.CharacterName == "") != long || summary.ReadOnly != (i%2 == 0) {
			t.Errorf("summary %d: got %s, want one that is too long: %t", i, brief(summary), long)
		}
	}
}

func characterNotFound(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	t.mustCreateUser("bob", 0)
	for _, key := range []backend.CharacterKey{
		characterKey("ada", "unknown"), characterKey("bob", characters[0].CharacterID),
		characterKey("unknown", characters[0].CharacterID), characterKey("", ""),
	} {
		t.wantNoCharacter(key)
	}
}

func characterKey(userID, characterID string) backend.CharacterKey {
	return backend.CharacterKey{UserID: userID, CharacterID: characterID}
}

var deletePromises = []promise{
	{"DeleteCharacter_RemovesOne", deleteCharacterOne},
	{"DeleteCharacter_NotFound", deleteCharacterNotFound},
}

func deleteCharacterOne(t *trial) {
	characters := Characters("ada", 3)
	characters[1].ReadOnly = true
	config := UserConfig("ada")
	t.must("create user", t.CreateUser(t.Context(), config, characters))
	t.must("delete a read-only character", t.DeleteCharacter(t.Context(), characters[1].Key()))
	t.wantNoCharacter(characters[1].Key())
	t.wantCharacters("ada", characters[0], characters[2])
	t.must("delete", t.DeleteCharacter(t.Context(), characters[0].Key()))
	t.must("delete the last one", t.DeleteCharacter(t.Context(), characters[2].Key()))
	t.wantNames("ada")
	t.wantUserConfig(config)
}

func deleteCharacterNotFound(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 0)
	t.must("delete", t.DeleteCharacter(t.Context(), characters[0].Key()))
	before := t.contents()
	for _, key := range []backend.CharacterKey{
		characters[0].Key(), characterKey("bob", characters[1].CharacterID), characterKey("unknown", characters[1].CharacterID),
	} {
		t.wantKind("delete", t.DeleteCharacter(t.Context(), key), backend.NotFound)
	}
	t.wantContents("a refused deletion", before)
}
