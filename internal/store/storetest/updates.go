package storetest

import (
	"math"
	"reflect"

	"web-backend/internal/backend"
)

var updatePromises = []promise{
	{"UpdateCharacter_ChangesEachFieldAlone", updateEachField},
	{"UpdateCharacter_ChangesSeveralFieldsAtOnce", updateSeveral},
	{"UpdateCharacter_EmptyTextIsAValue", updateToEmpty},
	{"UpdateCharacter_KeepsNumbersExactly", updateNumbers},
	{"UpdateCharacter_RefusesReadOnly", updateReadOnly},
	{"UpdateCharacter_NotFoundBeforeReadOnly", updateNotFound},
}

// updateEachField gets the fields from the type, so that it also covers new
// fields. It sets the wanted value without Apply, so that a fault in Apply is
// detected.
func updateEachField(t *trial) {
	fields := reflect.TypeFor[backend.CharacterPatch]()
	_, characters := t.mustCreateUser("ada", fields.NumField())
	for n := range fields.NumField() {
		name := fields.Field(n).Name
		var value any
		switch kind := fields.Field(n).Type.Elem().Kind(); kind {
		case reflect.String:
			value = "changed " + name
		case reflect.Float64:
			value = 0.75
		case reflect.Bool:
			value = true
		default:
			t.Fatalf("field %s of CharacterPatch is a %s: teach this test a value of that kind", name, kind)
		}
		var patch backend.CharacterPatch
		pointer := reflect.New(fields.Field(n).Type.Elem())
		pointer.Elem().Set(reflect.ValueOf(value))
		reflect.ValueOf(&patch).Elem().Field(n).Set(pointer)
		t.must("update "+name, t.UpdateCharacter(t.Context(), characters[n].Key(), patch))
		reflect.ValueOf(&characters[n]).Elem().FieldByName(name).Set(reflect.ValueOf(value))
	}
	t.wantCharacters("ada", characters...)
}

func updateSeveral(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	t.must("change nothing", t.UpdateCharacter(t.Context(), characters[0].Key(), backend.CharacterPatch{}))
	t.wantCharacters("ada", characters...)

	name, voice, speed, prompt := "Nova", "nova", 1.25, "Be brief."
	t.must("update", t.UpdateCharacter(t.Context(), characters[0].Key(),
		backend.CharacterPatch{CharacterName: &name, Voice: &voice, VoiceSpeed: &speed, Prompt: &prompt}))
	c := &characters[0]
	c.CharacterName, c.Voice, c.VoiceSpeed, c.Prompt = name, voice, speed, prompt
	t.wantCharacters("ada", characters...)
}

func updateToEmpty(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	none, c := "", characters[0]
	t.must("update", t.UpdateCharacter(t.Context(), c.Key(), backend.CharacterPatch{
		CharacterName: &none, Voice: &none, Prompt: &none, MemoryModelOverride: &none}))
	c.CharacterName, c.Voice, c.Prompt, c.MemoryModelOverride = none, none, none, none
	t.wantCharacters("ada", c)
}

func updateNumbers(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	c := characters[0]
	for _, speed := range []float64{
		0.1, 1e-9, 1.5, 1, 0, math.Copysign(0, -1), -2, 3, 0.1 + 0.2, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64,
	} {
		t.must("update", t.UpdateCharacter(t.Context(), c.Key(), backend.CharacterPatch{VoiceSpeed: &speed}))
		c.VoiceSpeed = speed
		t.wantCharacter(c)
		got, err := t.Character(t.Context(), c.Key())
		if err != nil || math.Float64bits(got.VoiceSpeed) != math.Float64bits(speed) {
			t.Errorf("voice speed: got %v, error %v, want %v, bit for bit", got.VoiceSpeed, err, speed)
		}
	}
}

func updateReadOnly(t *trial) {
	characters := Characters("ada", 2)
	characters[0].ReadOnly = true
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	name, yes, no := "changed", true, false
	patches := []backend.CharacterPatch{{}, {CharacterName: &name}, {ReadOnly: &no}, {ReadOnly: &yes}}
	for _, patch := range patches {
		err := t.UpdateCharacter(t.Context(), characters[0].Key(), patch)
		t.wantKind("update a read-only character", err, backend.ReadOnly)
	}
	t.wantCharacters("ada", characters...)

	t.must("make read-only", t.UpdateCharacter(t.Context(), characters[1].Key(), backend.CharacterPatch{ReadOnly: &yes}))
	characters[1].ReadOnly = true
	for _, patch := range patches {
		err := t.UpdateCharacter(t.Context(), characters[1].Key(), patch)
		t.wantKind("update a character that became read-only", err, backend.ReadOnly)
	}
	t.wantCharacters("ada", characters...)
}

func updateNotFound(t *trial) {
	characters := Characters("ada", 1)
	characters[0].ReadOnly = true
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	t.mustCreateUser("bob", 0)
	before := t.contents("unknown")
	name := "changed"
	for _, patch := range []backend.CharacterPatch{{}, {CharacterName: &name}} {
		for _, key := range []backend.CharacterKey{
			characterKey("ada", "unknown"), characterKey("bob", characters[0].CharacterID), characterKey("unknown", "unknown"),
		} {
			t.wantKind("update", t.UpdateCharacter(t.Context(), key, patch), backend.NotFound)
		}
	}
	t.wantContents("a refused update", before, "unknown")

	t.must("delete the read-only character", t.DeleteCharacter(t.Context(), characters[0].Key()))
	err := t.UpdateCharacter(t.Context(), characters[0].Key(), backend.CharacterPatch{CharacterName: &name})
	t.wantKind("update a deleted read-only character", err, backend.NotFound)
	t.wantNames("ada")
}
